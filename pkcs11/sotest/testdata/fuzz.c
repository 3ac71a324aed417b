/* fuzz MODULE SEED CALLS: random functions with random handles, templates,
 * lengths and buffers; each buffer ends at a page that cannot be touched. What
 * a caller owes the library holds - a pointer is NULL or good for the length
 * beside it - and nothing else. The calls themselves (calls.h) are made from
 * the table of functions. Prints "ok". */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cryptoki.h"

static CK_FUNCTION_LIST_3_2 *p11;

static unsigned long long state;

static unsigned long rnd(unsigned long n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (state >> 11) % n : 0;
}

/* Regions whose end is guarded. */
enum { REGIONS = 16, SIZE = 1 << 16 };
static unsigned char *region[REGIONS];
static int next;

static void *at_end(unsigned long n)
{
	unsigned char *p = region[next++ % REGIONS] + SIZE - n;
	for (unsigned long i = 0; i < n && i < 512; i++)
		p[i] = rnd(256);
	return p;
}

static unsigned long len(void)
{
	static const unsigned long usual[] = {0, 1, 8, 16, 20, 24, 32, 48, 64, 65, 128, 255, 256, 257, 512, 4096};
	return rnd(4) ? usual[rnd(16)] : rnd(600);
}

/* Handles: those that were given, near misses, nonsense. */
static CK_ULONG sessions[32], objects[64];
static unsigned nsessions, nobjects;

static CK_ULONG session(void)
{
	return rnd(30) && nsessions ? sessions[rnd(nsessions < 32 ? nsessions : 32)] : rnd(2) ? rnd(100) : ~rnd(3);
}

static CK_ULONG object(void)
{
	return rnd(10) && nobjects ? objects[rnd(nobjects < 64 ? nobjects : 64)] : rnd(2) ? rnd(100) : ~rnd(3);
}

static CK_ULONG slot(void) { return rnd(10) ? 0 : rnd(5) ? rnd(4) : ~0UL; }
static CK_ULONG ulong_(void) { return rnd(3) ? rnd(20) : rnd(2) ? ~0UL : len(); }
static CK_ULONG flags(void) { return rnd(3) ? 4 | rnd(4) : rnd(2) ? rnd(256) : ~0UL; }
static CK_ULONG user(void) { return rnd(10) ? rnd(3) : rnd(100); }

struct bytes { void *p; CK_ULONG n; };

static struct bytes in(void)
{
	struct bytes b = {NULL, len()};
	if (rnd(12))
		b.p = at_end(b.n);
	else if (rnd(2))
		b.n = 0;
	return b;
}

static struct bytes text(void)
{
	static char *pins[] = {"123456", "123456", "123456", "", "1", "010203040506070801020304050607080102030405060708", "12345678"};
	struct bytes b = {NULL, 0};
	if (!rnd(10))
		return in();
	char *s = pins[rnd(7)];
	b.n = strlen(s);
	b.p = memcpy(at_end(b.n), s, b.n);
	return b;
}

static CK_ULONG room;

static struct bytes out(void)
{
	struct bytes b = {NULL, len()};
	room = b.n;
	if (rnd(4))
		b.p = at_end(b.n);
	return b;
}

static const CK_ULONG mechs[] = {
	0, 1, 3, 6, 9, 0xd, 0xe, 0x40, 0x41, 0x42, 0x43, 0x46, 0x60, 0x220, 0x221, 0x222, 0x250, 0x251, 0x252, 0x260, 0x270,
	0x2b0, 0x131, 0x132, 0x133, 0x136, 0x350, 0x1040, 0x1041, 0x1044, 0x1050, 0x1051, 0x1055, 0x1056, 0x1057, 0x1080, 0x1081, 0x1082, 0x1085,
	0x1086, 0x1087, 0x2109, 0x210b, 0x402a, 0x402c,
};

/* A structure of numbers (u), pointers to as much as the number before or
 * after them says (p then n, or n then q), and bytes (b). */
static unsigned long build(unsigned char *to, const char *layout)
{
	unsigned long at = 0, n = 0;
	void *p = NULL;
	for (; *layout; layout++) {
		unsigned long v;
		if (*layout != 'b')
			at = (at + 7) & ~7UL;
		switch (*layout) {
		case 'b':
			to[at++] = rnd(3);
			continue;
		case 'p':
			n = rnd(100);
			p = rnd(10) ? at_end(n) : NULL;
			v = (unsigned long)p;
			break;
		case 'n':
			v = n;
			break;
		case 't': /* bits of the pointer before */
			v = n * 8;
			break;
		case 'l': /* length of the pointer after */
			n = rnd(100);
			v = n;
			break;
		case 'q':
			v = rnd(10) ? (unsigned long)at_end(n) : 0;
			break;
		default:
			v = rnd(4) ? rnd(12) : rnd(2) ? mechs[rnd(sizeof mechs / sizeof *mechs)] : ~0UL;
		}
		memcpy(to + at, &v, 8);
		at += 8;
	}
	return (at + 7) & ~7UL;
}

static CK_VOID_PTR mechanism(void)
{
	static CK_MECHANISM m;
	static const struct { CK_ULONG type; const char *layout; } known[] = {
		{9, "uuupn"}, {0xd, "uuu"}, {0xe, "uuu"}, {0x43, "uuu"}, {0x1087, "pnupnu"}, {0x1050, "ulqlq"}, {0x1051, "ulqlq"},
		{0x402a, "bbuupnupn"}, {0x1057, "blq"}, {0x222, "u"}, {0x252, "u"},
	};
	if (!rnd(30))
		return NULL;
	m.mechanism = rnd(20) ? mechs[rnd(sizeof mechs / sizeof *mechs)] : rnd(0x5000);
	m.pParameter = NULL;
	m.ulParameterLen = 0;
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].type == m.mechanism && rnd(8)) {
			unsigned char buffer[256];
			memset(buffer, 0, sizeof buffer);
			m.ulParameterLen = build(buffer, known[i].layout);
			m.pParameter = memcpy(at_end(m.ulParameterLen), buffer, m.ulParameterLen);
			return &m;
		}
	if (rnd(2)) {
		/* Only an IV or a counter: no mechanism reads a pointer out of it. */
		static const unsigned long sizes[] = {0, 4, 8, 16};
		m.ulParameterLen = sizes[rnd(4)];
		m.pParameter = at_end(m.ulParameterLen);
		if (m.mechanism == 0x1086 && rnd(2)) {
			m.ulParameterLen = 24;
			m.pParameter = at_end(24);
			*(CK_ULONG *)m.pParameter = rnd(140);
		}
	}
	return &m;
}

/* Parameters of messages: CK_GCM_MESSAGE_PARAMS, or nothing. */
static struct bytes param(void)
{
	struct bytes b = {NULL, 0};
	unsigned char buffer[256];
	if (!rnd(3))
		return b;
	memset(buffer, 0, sizeof buffer);
	b.n = build(buffer, "pnuupt");
	b.p = memcpy(at_end(b.n), buffer, b.n);
	return b;
}

static const CK_ULONG attributes[] = {
	0, 0, 1, 2, 3, 4, 0x10, 0x11, 0x12, 0x80, 0x81, 0x82, 0x90, 0x100, 0x100, 0x101, 0x102, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108, 0x10a, 0x10c,
	0x110, 0x120, 0x121, 0x122, 0x123, 0x124, 0x125, 0x129, 0x160, 0x161, 0x162, 0x163, 0x166, 0x170, 0x171, 0x172, 0x180, 0x181,
	0x202, 0x210, 0x40000211, 0x40000600, 0x601, 0x636, 0x80000001,
};

static CK_ATTRIBUTE *template_(CK_ULONG *count)
{
	static CK_ATTRIBUTE t[16];
	*count = rnd(10);
	for (CK_ULONG i = 0; i < *count; i++) {
		t[i].type = attributes[rnd(sizeof attributes / sizeof *attributes)];
		t[i].ulValueLen = rnd(3) ? 1 : rnd(2) ? 8 : len();
		t[i].pValue = rnd(15) ? at_end(t[i].ulValueLen) : NULL;
		if (!t[i].pValue)
			continue;
		CK_ULONG small = rnd(5);
		if (t[i].type == 0 || t[i].type == 0x100 || t[i].type == 0x80 || t[i].type == 0x161 || t[i].type == 0x121) {
			if (t[i].type == 0x100 && rnd(2))
				small = rnd(2) ? 0x1f : 0x10;
			if (t[i].type == 0x161)
				small = 8 * rnd(6);
			if (t[i].type == 0x121) /* short ones: a long one takes seconds to make */
				small = rnd(2) ? 1024 : 17;
			t[i].ulValueLen = 8;
			t[i].pValue = at_end(8);
			memcpy(t[i].pValue, &small, 8);
		} else if (t[i].type == 0x180 && rnd(2)) {
			t[i].ulValueLen = 10;
			t[i].pValue = memcpy(at_end(10), "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10);
		} else if (t[i].ulValueLen == 1)
			*(unsigned char *)t[i].pValue = t[i].type == 0x102 ? 1 + rnd(30) : rnd(3);
	}
	return rnd(30) ? t : NULL;
}

static void remember(CK_ULONG *pool, unsigned *n, unsigned size, CK_ULONG h)
{
	pool[(*n)++ % size] = h;
	if (*n > 1000000)
		*n = size;
}

static long resident(void)
{
	long pages = 0, skip;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%ld %ld", &skip, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4;
}

int main(int argc, char **argv)
{
	(void)argc;
	unsigned long calls = strtoul(argv[3], NULL, 10);
	state = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252ULL;
	for (int i = 0; i < REGIONS; i++) {
		region[i] = mmap(NULL, SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(region[i] + SIZE, 4096, PROT_NONE);
	}
	void *module = dlopen(argv[1], RTLD_NOW);
	CK_RV (*get)(CK_UTF8CHAR_PTR, CK_VERSION_PTR, CK_INTERFACE_PTR_PTR, CK_FLAGS) =
		module ? (CK_RV(*)(CK_UTF8CHAR_PTR, CK_VERSION_PTR, CK_INTERFACE_PTR_PTR, CK_FLAGS))dlsym(module, "C_GetInterface") : NULL;
	CK_INTERFACE_PTR found;
	if (!get || get(NULL, NULL, &found, 0) != CKR_OK)
		return 2;
	p11 = found->pFunctionList;
	p11->C_Initialize(NULL);
	long before = 0;
	unsigned long succeeded = 0;
	for (unsigned long i = 0; i < calls; i++) {
		CK_RV rv;
		CK_ULONG given[2] = {0, 0}, n = rnd(40), c1 = 0, c2 = 0;
		alarm(60);
		if (rnd(50) == 0 && (rv = p11->C_OpenSession(0, 4 | rnd(2) * 2, NULL, NULL, given)) == CKR_OK)
			remember(sessions, &nsessions, 32, given[0]);
		if (getenv("FUZZ_VERBOSE"))
			fprintf(stderr, "%lu\n", i);
		switch (rnd(CALLS)) {
#include "calls.h"
		}
		if (rv == CKR_OK)
			succeeded++;
		(void)n, (void)c1, (void)c2;
		if (i == calls / 4)
			before = resident();
	}
	p11->C_CloseAllSessions(0);
	p11->C_Finalize(NULL);
	if (resident() > before + 200 * 1024) {
		fprintf(stderr, "grew from %ld to %ld KiB\n", before, resident());
		return 1;
	}
	if (succeeded < calls / 50) {
		fprintf(stderr, "only %lu of %lu calls succeeded: this tests little\n", succeeded, calls);
		return 1;
	}
	puts("ok");
	return 0;
}
