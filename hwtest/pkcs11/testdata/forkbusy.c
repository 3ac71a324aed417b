/* forkbusy MODULE: forks while another thread is in the module, and that is asking
 * pcscd for a context, which libpcsclite does with its one lock held. The child
 * initialises the module and looks for a token, and so does a child of its own,
 * which is forked in the same way.
 *
 * Before each fork it says "ready" and reads a line from standard input, which
 * tells that pcscd is stopped; after it, it says "forked", for pcscd to go on.
 * "ok" is the end. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned long W;

static W *list; /* the functions by their place in CK_FUNCTION_LIST */
#define C_Initialize ((W(*)(void *))list[1])
#define C_Finalize ((W(*)(void *))list[2])
#define C_GetSlotList ((W(*)(unsigned char, W *, W *))list[5])
#define C_GetTokenInfo ((W(*)(W, void *))list[7])

static void die(const char *who, const char *what, W rv)
{
	printf("%s: %s: 0x%lx\n", who, what, rv);
	fflush(stdout);
	_exit(1);
}

static void say(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
}

static void await_line(void)
{
	char c = 0;
	while (c != '\n')
		if (read(0, &c, 1) != 1)
			_exit(2);
}

static W slot;

/* Asks the card something for the first time. */
static void *ask(void *unused)
{
	char info[208];
	C_GetTokenInfo(slot, info);
	return unused;
}

/* How many sockets there are at pcscd's end, those included that it has not
 * looked at yet. */
static int connections(void)
{
	char line[512];
	int n = 0;
	FILE *f = fopen("/proc/net/unix", "r");
	if (!f)
		die("parent", "no /proc/net/unix", 0);
	while (fgets(line, sizeof line, f))
		n += strstr(line, "/pcscd.comm") != NULL;
	fclose(f);
	return n;
}

static void use(const char *who)
{
	W n = 1;
	W rv = C_Initialize(NULL);
	if (rv)
		die(who, "C_Initialize", rv);
	if ((rv = C_GetSlotList(1, &slot, &n)) || n != 1)
		die(who, "tokens after C_Initialize", rv ? rv : n);
}

static int generation(int depth)
{
	static const char *names[] = {"grandchild", "child", "parent"};
	use(names[depth]);
	if (depth > 0) {
		pthread_t thread;
		int status;
		say("ready");
		await_line(); /* pcscd is stopped */
		int before = connections();
		pthread_create(&thread, NULL, ask, NULL);
		while (connections() == before)
			usleep(1000);
		pid_t pid = fork();
		if (pid == 0)
			_exit(generation(depth - 1));
		say("forked"); /* pcscd goes on */
		if (waitpid(pid, &status, 0) < 0 || status)
			die(names[depth], "its child ended with", status);
		pthread_join(thread, NULL);
	}
	return C_Finalize(NULL) != 0;
}

int main(int argc, char **argv)
{
	void *module = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	W (*get)(W **) = module ? (W(*)(W **))dlsym(module, "C_GetFunctionList") : NULL;
	if (!get || get(&list))
		die("parent", "no module", 0);
	if (generation(2))
		die("parent", "C_Finalize", 0);
	say("ok");
	return 0;
}
