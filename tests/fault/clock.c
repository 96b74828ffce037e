/* Moves the clock of the program that it is preloaded into, by the seconds in the file CLOCK_AHEAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile double *ahead;

static void find_clock(void) {
  static double none = 0;
  const char *path = getenv("CLOCK_AHEAD");
  int file = path ? open(path, O_RDONLY) : -1;
  void *seen = file < 0 ? MAP_FAILED : mmap(0, sizeof(double), PROT_READ, MAP_SHARED, file, 0);
  ahead = seen == MAP_FAILED ? &none : (volatile double *)seen;
}

int gettimeofday(struct timeval *now, void *zone) {
  int (*read_clock)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  struct timespec real;
  (void)zone;
  if (!ahead) find_clock();
  int done = read_clock(CLOCK_REALTIME, &real);
  double moved = (double)real.tv_sec + *ahead;
  now->tv_sec = (time_t)moved;
  now->tv_usec = real.tv_nsec / 1000;
  return done;
}
