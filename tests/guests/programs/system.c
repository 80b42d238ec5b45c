// Prints what depends on faults, signals, threads and code made at run time.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t seen, code;
static void *volatile address;

static void handler(int number, siginfo_t *info, void *context) {
  (void)context;
  seen = number;
  code = info->si_code;
  address = info->si_addr;
  siglongjmp(back, 1);
}

static void faults(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  for (int number = 1; number < 32; number++)
    if (number != SIGKILL && number != SIGSTOP && number != SIGCHLD) sigaction(number, &action, NULL);
  char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + 4096, 4096, PROT_READ);
  munmap(pages + 8192, 4096);
  volatile int zero = 0;
  if (!sigsetjmp(back, 1)) printf("%d\n", 1 / zero);
  printf("divide: signal %d code %d\n", (int)seen, (int)code);
  if (!sigsetjmp(back, 1)) pages[4096 + 5] = 1;
  printf("read-only: signal %d code %d offset %td\n", (int)seen, (int)code, (char *)address - pages);
  if (!sigsetjmp(back, 1)) *(volatile uint64_t *)(pages + 8192 - 4) = 1;
  printf("across: signal %d code %d offset %td\n", (int)seen, (int)code, (char *)address - pages);
  if (!sigsetjmp(back, 1)) ((void (*)(void))pages)();
  printf("no-execute: signal %d code %d offset %td\n", (int)seen, (int)code, (char *)address - pages);
  if (!sigsetjmp(back, 1)) __asm__ volatile("ud2");
  printf("undefined: signal %d code %d\n", (int)seen, (int)code);
  if (!sigsetjmp(back, 1)) __asm__ volatile("hlt");
  printf("privileged: signal %d code %d\n", (int)seen, (int)code);
  if (!sigsetjmp(back, 1)) __asm__ volatile("int3");
  printf("breakpoint: signal %d code %d\n", (int)seen, (int)code);
  if (!sigsetjmp(back, 1)) *(volatile char *)0x800000000000 = 1;
  printf("non-canonical: signal %d code %d\n", (int)seen, (int)code);
}

static void generated(void) {
  // mov eax, imm32; ret: written, run, changed in place, run again; then through a second mapping of the same memory.
  static const uint8_t body[] = {0xb8, 0, 0, 0, 0, 0xc3};
  int file = memfd_create("code", 0);
  if (ftruncate(file, 4096) != 0) abort();
  uint8_t *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  uint8_t *code_page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
  memcpy(writable, body, sizeof body);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < 20000; i++) {
    memcpy(writable + 1, &i, 4);
    sum = sum * 31 + (uint64_t)((uint32_t(*)(void))code_page)();
  }
  printf("generated %016llx\n", (unsigned long long)sum);
}

static atomic_long counter;
static long guarded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *worker(void *argument) {
  long step = (long)argument;
  for (int i = 0; i < 20000; i++) {
    atomic_fetch_add(&counter, step);
    if (i % 16 == 0) {
      pthread_mutex_lock(&lock);
      guarded += step;
      pthread_mutex_unlock(&lock);
    }
  }
  return (void *)(step * 2);
}

static void threads(void) {
  pthread_t ids[6];
  long results = 0;
  for (long i = 0; i < 6; i++) pthread_create(&ids[i], NULL, worker, (void *)(i + 1));
  for (int i = 0; i < 6; i++) {
    void *result;
    pthread_join(ids[i], &result);
    results += (long)result;
  }
  printf("threads %ld %ld %ld\n", atomic_load(&counter), guarded, results);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void processes(void) {
  int ends[2];
  if (pipe(ends) != 0) abort();
  for (uint32_t child = 0; child < 20; child++) {
    if (fork() == 0) {
      uint32_t value = child * 2654435761u;
      if (write(ends[1], &value, sizeof value) != sizeof value) _exit(1);
      _exit(0);
    }
  }
  uint32_t values[20];
  for (int i = 0; i < 20; i++)
    if (read(ends[0], &values[i], 4) != 4) abort();
  while (wait(NULL) > 0) {
  }
  qsort(values, 20, sizeof *values, ascending);
  for (int i = 0; i < 20; i++) printf("%08x%c", values[i], i == 19 ? '\n' : ' ');
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  faults();
  generated();
  threads();
  processes();
  return 0;
}
