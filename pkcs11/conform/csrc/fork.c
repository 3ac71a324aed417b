// fork MODULE CHILDREN - what a forking server does to a PKCS #11 module. The PIN comes in the environment (PIN).
//
// The parent initialises, logs in and signs, and has a thread waiting in C_WaitForSlotEvent. CHILDREN children are forked,
// four at a time; each third child forks a child of its own. Each of them
//   - asks without initialising: everything must be CKR_CRYPTOKI_NOT_INITIALIZED, at once;
//   - initialises, opens a session, logs in, signs, finalises.
// In between the parent signs with its first session. Signatures go to standard output, "sig WHO HEX", for the caller to
// verify; anything wrong is a line "FAIL ..." and ends that process. An alarm ends whatever hangs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long W;
struct attribute { W type; void *value; W length; };
struct mechanism { W type; void *parameter; W length; };
enum { NOT_INITIALIZED = 0x190, FUNCTION_NOT_SUPPORTED = 0x54, EC_KEY = 3 };

static W *list;
static char who[64];

// The functions by their place in CK_FUNCTION_LIST.
#define C_Initialize ((W(*)(void *))list[1])
#define C_Finalize ((W(*)(void *))list[2])
#define C_GetInfo ((W(*)(void *))list[3])
#define C_GetSlotList ((W(*)(unsigned char, W *, W *))list[5])
#define C_GetTokenInfo ((W(*)(W, void *))list[7])
#define C_OpenSession ((W(*)(W, W, void *, void *, W *))list[13])
#define C_GetSessionInfo ((W(*)(W, void *))list[16])
#define C_Login ((W(*)(W, W, char *, W))list[19])
#define C_FindObjectsInit ((W(*)(W, struct attribute *, W))list[27])
#define C_FindObjects ((W(*)(W, W *, W, W *))list[28])
#define C_FindObjectsFinal ((W(*)(W))list[29])
#define C_SignInit ((W(*)(W, struct mechanism *, W))list[43])
#define C_Sign ((W(*)(W, unsigned char *, W, unsigned char *, W *))list[44])
#define C_GenerateRandom ((W(*)(W, unsigned char *, W))list[65])
#define C_WaitForSlotEvent ((W(*)(W, W *, void *))list[68])

static void fail(const char *what, W rv) {
  printf("FAIL %s %s 0x%lx\n", who, what, rv);
  fflush(stdout);
  _exit(1);
}
static void check(const char *what, W rv) { if (rv) fail(what, rv); }

static void initialise(void) {
  W args[6] = {0, 0, 0, 0, 2 /* CKF_OS_LOCKING_OK */, 0};
  check("C_Initialize", C_Initialize(args));
}

static void sign(W session, W key) {
  struct mechanism ecdsa = {0x1041, 0, 0};
  unsigned char digest[32] = {0}, sig[64];
  W n = sizeof sig;
  check("C_SignInit", C_SignInit(session, &ecdsa, key));
  check("C_Sign", C_Sign(session, digest, sizeof digest, sig, &n));
  char line[256];
  int at = snprintf(line, sizeof line, "sig %s ", who);
  for (W i = 0; i < n; i++) at += snprintf(line + at, sizeof line - at, "%02x", sig[i]);
  line[at++] = '\n';
  if (write(1, line, at) != at) _exit(2);
}

static void login(W *session, W *key) {
  W slots[64], n = 64, i;
  check("C_GetSlotList", C_GetSlotList(1, slots, &n));
  for (i = 0; i < n; i++) { // the token whose label is LABEL, or the first
    char info[208], *label = getenv("LABEL");
    if (!C_GetTokenInfo(slots[i], info) && (!label || !strncmp(info, label, strlen(label)))) break;
  }
  if (i == n) fail("no token", n);
  check("C_OpenSession", C_OpenSession(slots[i], 4, 0, 0, session));
  char *pin = getenv("PIN");
  check("C_Login", C_Login(*session, 1, pin, strlen(pin)));
  W class = 3;
  unsigned char id = EC_KEY;
  struct attribute template[] = {{0, &class, sizeof class}, {0x102, &id, 1}};
  W found = 0;
  check("C_FindObjectsInit", C_FindObjectsInit(*session, template, 2));
  check("C_FindObjects", C_FindObjects(*session, key, 1, &found));
  check("C_FindObjectsFinal", C_FindObjectsFinal(*session));
  if (found != 1) fail("no key", found);
}

// uninitialised: nothing the parent had is ours, and every function says so without a wait.
static void uninitialised(W session) {
  char buffer[512];
  unsigned char random[8];
  W slots[64], n = 64;
  struct { const char *name; W rv; } got[] = {
      {"C_GetInfo", C_GetInfo(buffer)},
      {"C_GetSlotList", C_GetSlotList(1, slots, &n)},
      {"C_GetSessionInfo", C_GetSessionInfo(session, buffer)},
      {"C_Login", C_Login(session, 1, "000000", 6)},
      {"C_GenerateRandom", C_GenerateRandom(session, random, 8)},
      {"C_Finalize", C_Finalize(0)},
  };
  for (unsigned i = 0; i < sizeof got / sizeof *got; i++)
    if (got[i].rv != NOT_INITIALIZED) { char what[80]; snprintf(what, sizeof what, "%s before C_Initialize in a child", got[i].name); fail(what, got[i].rv); }
}

static int child(int number, int depth, W parents_session) {
  snprintf(who + strlen(who), sizeof who - strlen(who), "/%d", number);
  alarm(300);
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  if (!getenv("NO_FORK_CHECK")) uninitialised(parents_session);
  clock_gettime(CLOCK_MONOTONIC, &b);
  if (b.tv_sec - a.tv_sec > 100) fail("the refusals took minutes", b.tv_sec - a.tv_sec);
  if (number % 5 == 4) return 0; // a child that never initialises, and ends with a plain exit
  W session, key;
  initialise();
  login(&session, &key);
  sign(session, key);
  if (depth < 2 && number % 3 == 0) { // a child of a child
    pid_t pid = fork();
    if (!pid) exit(child(number, depth + 1, session));
    int status;
    if (waitpid(pid, &status, 0) < 0 || status) fail("its child ended with", status);
    sign(session, key);
  }
  check("C_Finalize", C_Finalize(0));
  return 0;
}

static void *wait_for_event(void *unused) {
  W slot;
  for (;;) {
    W rv = C_WaitForSlotEvent(0, &slot, 0);
    if (rv) return unused; // not supported, or finalised
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  alarm(600);
  setvbuf(stdout, 0, _IOLBF, 0);
  strcpy(who, "parent");
  void *module = dlopen(argv[1], RTLD_NOW);
  if (!module) { printf("FAIL %s\n", dlerror()); return 69; }
  W (*get)(W **) = (W(*)(W **))dlsym(module, "C_GetFunctionList");
  check("C_GetFunctionList", get(&list));
  W session, key;
  initialise();
  login(&session, &key);
  sign(session, key);
  pthread_t waiting;
  int has_waiter = !getenv("NO_WAITER") && !pthread_create(&waiting, 0, wait_for_event, 0);
  int children = atoi(argv[2]), running = 0, bad = 0, status;
  for (int i = 0; i < children; i++) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) fail("fork", 0);
    if (!pid) exit(child(i, 1, session)); // exit, not _exit: a module's destructors run here
    running++;
    sign(session, key);
    while (running >= 4 || (i == children - 1 && running)) {
      pid_t done = wait(&status);
      if (done < 0) break;
      running--;
      if (status) { printf("FAIL a child ended with %#x\n", status); bad = 1; }
    }
  }
  sign(session, key);
  check("C_Finalize", C_Finalize(0));
  if (has_waiter) pthread_join(waiting, 0);
  if (C_GetInfo(&list) != NOT_INITIALIZED) fail("C_GetInfo after C_Finalize", 0);
  puts(bad ? "FAIL" : "done");
  return bad;
}
