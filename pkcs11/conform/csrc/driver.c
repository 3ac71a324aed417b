// driver MODULE - one PKCS #11 application, led by another program.
//
// Commands come on descriptor 3, one a line, and answers go to descriptor 4, so that the module may find descriptors 0, 1
// and 2 in any state. A command is
//
//     THREAD FUNCTION ARGUMENT...
//
// THREAD names one of the threads of this process: commands of one thread run one after the other, those of several
// threads at the same time. FUNCTION is an index into the function list; INDEX*COUNT makes the call COUNT times, until one
// fails, and answers with the outputs of all. An ARGUMENT is
//
//     123         a number (CK_ULONG, a handle, a flag)
//     -           NULL
//     xHEX        the address of these bytes, which the function can only read
//     oN          the address of N bytes for the function to write
//     [ ... ]     the address of a block of words, each an argument of its own: a structure, an array of them
//     { ... }     the same, and the words are told after the call
//     =N          the address of the N-th block or buffer of this command again (from 0)
//     fN          the address of mutex function N: create, destroy, lock, unlock; f4 is a notification callback
//
// The answer is THREAD, the return code in hex, and then every o and { } in the order they were opened: xHEX, or the words
// in { }. Each buffer ends at a page the process has no access to, so a module that reads or writes too far dies here.
//
// No header is needed: a function list is a version and an array of function pointers.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long W;
enum { MAXARGS = 24, MAXBLOCKS = 128, MAXTHREADS = 64, PAGE = 4096 };

struct block { char *base; size_t mapped, size; unsigned char *at; char kind; };
struct call { struct block b[MAXBLOCKS]; int n; };
struct worker { pthread_t id; pthread_mutex_t mu; pthread_cond_t cv; char *line; int tid; };

static W *functions[2]; // the 2.40 list, and the list of the newest interface
static struct worker workers[MAXTHREADS];
static FILE *answers;

static void die(const char *what) { fprintf(stderr, "driver: %s: %s\n", what, strerror(errno)); _exit(70); }

// One page with its guard is what most buffers take: each thread keeps those it has used.
static __thread struct { char *base; char readonly; } kept[32];
static __thread int keeps;

static void release(struct block *b) {
  if (b->mapped == 2 * PAGE && keeps < 32) { kept[keeps].base = b->base; kept[keeps++].readonly = b->kind == 'x'; return; }
  munmap(b->base, b->mapped);
}

// guarded gives size bytes that end where the accessible memory ends.
static struct block *guarded(struct call *c, size_t size, char kind) {
  if (c->n == MAXBLOCKS) { errno = E2BIG; die("blocks"); }
  struct block *b = &c->b[c->n++];
  b->size = size; b->kind = kind;
  b->mapped = (size + PAGE - 1) / PAGE * PAGE + PAGE;
  if (b->mapped == 2 * PAGE && keeps) {
    b->base = kept[--keeps].base;
    if (kept[keeps].readonly && mprotect(b->base, PAGE, PROT_READ | PROT_WRITE)) die("mprotect");
    b->at = (unsigned char *)b->base + PAGE - size;
    return b;
  }
  b->base = mmap(0, b->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b->base == MAP_FAILED) die("mmap");
  b->at = (unsigned char *)b->base + b->mapped - PAGE - size;
  if (mprotect(b->base + b->mapped - PAGE, PAGE, PROT_NONE)) die("mprotect");
  return b;
}

static W mutex_create(void **m) { pthread_mutex_t *p = malloc(sizeof *p); pthread_mutex_init(p, 0); *m = p; return 0; }
static W mutex_destroy(void *m) { pthread_mutex_destroy(m); free(m); return 0; }
static W mutex_lock(void *m) { pthread_mutex_lock(m); return 0; }
static W mutex_unlock(void *m) { pthread_mutex_unlock(m); return 0; }
static W notify(W session, W event, void *app) { (void)session; (void)event; (void)app; return 0; }
static void *callbacks[] = {mutex_create, mutex_destroy, mutex_lock, mutex_unlock, notify};

static char *token(char **p) {
  while (**p == ' ') (*p)++;
  if (!**p) return 0;
  char *t = *p;
  while (**p && **p != ' ') (*p)++;
  if (**p) *(*p)++ = 0;
  return t;
}

static W argument(struct call *c, char *t, char **rest);

// words reads a block up to its closing bracket.
static W words(struct call *c, char open, char **rest) {
  W tmp[4096]; size_t n = 0;
  char close = open == '[' ? ']' : '}';
  int slot = c->n++; // keeps the order of opening
  if (slot >= MAXBLOCKS) { errno = E2BIG; die("blocks"); }
  memset(&c->b[slot], 0, sizeof c->b[slot]);
  for (char *t; (t = token(rest)) && *t != close;) {
    if (n == sizeof tmp / sizeof *tmp) { errno = E2BIG; die("words"); }
    tmp[n++] = argument(c, t, rest);
  }
  struct block *b = guarded(c, n * sizeof(W), open);
  memcpy(b->at, tmp, n * sizeof(W));
  c->b[slot] = *b; c->n--;
  return (W)c->b[slot].at;
}

static W argument(struct call *c, char *t, char **rest) {
  switch (*t) {
  case '-': return 0;
  case '[': case '{': return words(c, *t, rest);
  case '=': return (W)c->b[atoi(t + 1)].at;
  case 'f': return (W)callbacks[atoi(t + 1) % 5];
  case 'o': {
    struct block *b = guarded(c, strtoul(t + 1, 0, 10), 'o');
    memset(b->at, 0xA5, b->size);
    return (W)b->at;
  }
  case 'x': {
    size_t n = strlen(t + 1) / 2;
    struct block *b = guarded(c, n, 'x');
    for (size_t i = 0; i < n; i++) { unsigned v; sscanf(t + 1 + 2 * i, "%2x", &v); b->at[i] = v; }
    if (mprotect(b->base, b->mapped - PAGE, PROT_READ)) die("mprotect");
    return (W)b->at;
  }
  }
  return strtoul(t, 0, 0);
}

typedef W (*fn)(W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W);

static void tell(FILE *to, struct block *b) {
  if (b->kind == 'o') { fputs(" x", to); for (size_t k = 0; k < b->size; k++) fprintf(to, "%02x", b->at[k]); }
  if (b->kind == '{') { fputs(" {", to); for (size_t k = 0; k < b->size / sizeof(W); k++) fprintf(to, " %lu", ((W *)b->at)[k]); fputs(" }", to); }
}

static void run(char *line) {
  struct call c; c.n = 0;
  W a[MAXARGS] = {0};
  char *rest = line, *tid = token(&rest), *index = token(&rest);
  if (!tid || !index) { errno = EINVAL; die("command"); }
  int i = atoi(index), n = 0;
  char *star = strchr(index, '*');
  long times = star ? atol(star + 1) : 1;
  for (char *t; (t = token(&rest)) && n < MAXARGS;) a[n++] = argument(&c, t, &rest);
  W *list = i < 68 ? functions[0] : functions[1];
  W rv = ~0UL;
  char *text = 0; size_t size = 0;
  FILE *outputs = open_memstream(&text, &size);
  while (times-- > 0) {
    if (list && list[1 + i]) {
      fn f = (fn)list[1 + i];
      rv = f(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21], a[22], a[23]);
    }
    for (int j = 0; j < c.n; j++) tell(outputs, &c.b[j]);
    if (rv) break;
  }
  fclose(outputs);
  flockfile(answers);
  fprintf(answers, "%s %lx%s\n", tid, rv, text);
  fflush(answers);
  funlockfile(answers);
  free(text);
  for (int j = 0; j < c.n; j++) release(&c.b[j]);
}

static void *work(void *arg) {
  struct worker *w = arg;
  for (;;) {
    pthread_mutex_lock(&w->mu);
    while (!w->line) pthread_cond_wait(&w->cv, &w->mu);
    char *line = w->line; w->line = 0;
    pthread_mutex_unlock(&w->mu);
    run(line);
    free(line);
  }
  return 0;
}

static void give(char *line) {
  unsigned t = strtoul(line, 0, 10) % MAXTHREADS;
  struct worker *w = &workers[t];
  if (!w->id) { pthread_mutex_init(&w->mu, 0); pthread_cond_init(&w->cv, 0); if (pthread_create(&w->id, 0, work, w)) die("thread"); }
  pthread_mutex_lock(&w->mu);
  w->line = strdup(line);
  pthread_cond_signal(&w->cv);
  pthread_mutex_unlock(&w->mu);
}

int main(int argc, char **argv) {
  if (argc != 2) { fputs("usage: driver MODULE, commands on 3, answers on 4\n", stderr); return 64; }
  FILE *commands = fdopen(3, "r"); answers = fdopen(4, "w");
  if (!commands || !answers) die("descriptors 3 and 4");
  void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!module) { fprintf(answers, "error %s\n", dlerror()); return 69; }
  W (*list)(W **) = (W(*)(W **))dlsym(module, "C_GetFunctionList");
  if (!list || list(&functions[0]) || !functions[0]) { fputs("error no C_GetFunctionList\n", answers); return 69; }
  W (*get)(void *, void *, W **, W) = (W(*)(void *, void *, W **, W))dlsym(module, "C_GetInterface");
  int minor = -1; // of the newest 3.x interface offered
  for (int m = 2; get && m >= 0 && minor < 0; m -= 2) {
    unsigned char version[2] = {3, m};
    W *face = 0;
    if (!get("PKCS 11", version, &face, 0) && face) { functions[1] = (W *)face[1]; minor = m; }
  }
  fprintf(answers, "ready %d\n", minor); fflush(answers);
  char *line = 0; size_t cap = 0;
  while (getline(&line, &cap, commands) > 0) { line[strcspn(line, "\n")] = 0; give(line); }
  _exit(0);
}
