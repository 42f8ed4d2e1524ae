// A load generator in C, for loads of which the one in TypeScript (client/load.ts) would be the larger part: it takes a
// fraction of the CPU, and what the servers take shows. The same rules: so many messages in flight on each connection, the next
// one when a reply is whole; every byte compared; the last replies are waited for. Built and run by load.ts.
//
//   load PORT CONNECTIONS DEPTH SECONDS messages|churn SIZE MESSAGES REPLIES END,END…
//
// MESSAGES is a file with the messages, SIZE bytes each, that are sent in turn, REPLIES one with their replies, which end where
// END says. With churn each connection is for one message, and is reset. Prints one JSON object, in the words of LoadReport.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ONE_READ = 65536, EVENTS = 256, MOST_TEXTS = 1024, BUCKETS = 1000000 };
static const double LAST_REPLIES_S = 5;
static const double SHORT_TURN_S = 0.01;

struct connection {
  int fd;
  size_t unsent, from;  // So many bytes are to be sent, and where in the messages they begin.
  size_t at;            // Where in the replies the next byte belongs,
  unsigned text;        // and to which of them.
  unsigned in_flight, slot;
  double *sent_at;      // A ring of as many times as messages in flight; the oldest is at `slot`.
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static int poll, churn;
static unsigned texts, depth;
static size_t size, round_length, ends[MOST_TEXTS];
static char *messages, *replies;
static struct connection *connections;
static unsigned long answered, latencies[BUCKETS]; // In microseconds; the last one has all that took longer.
static int over;
static char problem[200];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

// The first problem ends the load; the figures do not count.
static void report(const char *what, ...) {
  if (problem[0] != 0) return;
  va_list values;
  va_start(values, what);
  vsnprintf(problem, sizeof problem, what, values);
  va_end(values);
}

static void push(struct connection *c) {
  while (c->unsent > 0) {
    size_t length = round_length - c->from < c->unsent ? round_length - c->from : c->unsent;
    ssize_t sent = send(c->fd, messages + c->from, length, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) report("A connection was lost: %s.", strerror(errno));
      return;
    }
    c->unsent -= sent;
    c->from = (c->from + sent) % round_length;
  }
}

static void begin(struct connection *c, unsigned count) {
  for (unsigned i = 0; i < count; i++) c->sent_at[i] = now();
  c->in_flight = count;
  c->unsent += count * size;
  push(c);
}

// On the loopback a connection is there at once, or the server's backlog is full.
static void dial(struct connection *c) {
  int one = 1;
  double began = now();
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (void *)&server, sizeof server) < 0) {
    report("Cannot connect: %s.", strerror(errno));
    return;
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
  if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event) < 0) report("epoll_ctl: %s.", strerror(errno));
  if (!churn) return;
  begin(c, 1);
  c->sent_at[0] = began;
}

// Not a FIN: the port would be in use for another minute, and there are only so many.
static void reset(struct connection *c) {
  struct linger none = { .l_onoff = 1, .l_linger = 0 };
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(c->fd);
  c->fd = -1;
}

// A reply is whole. The next message in flight begins now.
static void whole(struct connection *c) {
  double time = now();
  unsigned long us = (time - c->sent_at[c->slot]) * 1e6;
  if (!over) {
    answered++;
    latencies[us < BUCKETS ? us : BUCKETS - 1]++;
  }
  if (++c->text == texts) c->text = c->at = 0;
  if (over) {
    c->in_flight--;
  } else if (!churn) {
    c->sent_at[c->slot] = time;
    c->slot = (c->slot + 1) % depth;
    c->unsent += size;
  }
}

static void receive(struct connection *c) {
  static char read[ONE_READ];
  for (;;) {
    ssize_t length = recv(c->fd, read, sizeof read, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) return report("A connection was lost: %s.", length == 0 ? "the server ended it" : strerror(errno));
    for (ssize_t done = 0; done < length;) {
      size_t piece = ends[c->text] - c->at < (size_t)(length - done) ? ends[c->text] - c->at : (size_t)(length - done);
      if (c->in_flight == 0) return report("More came back than was sent.");
      if (memcmp(read + done, replies + c->at, piece) != 0) return report("Wrong reply.");
      done += piece;
      c->at += piece;
      if (c->at < ends[c->text]) continue;
      whole(c);
      if (!churn) continue;
      c->in_flight = 0;
      if (done < length) return report("More came back than was sent.");
      reset(c);
      if (!over) dial(c);
      return;
    }
    push(c);
    if (length < (ssize_t)sizeof read) return;
  }
}

static void turn(double until) {
  struct epoll_event events[EVENTS];
  double left = until - now();
  int count = epoll_wait(poll, events, EVENTS, left > 0 ? (int)(left * 1000) + 1 : 0);
  for (int i = 0; i < count && problem[0] == 0; i++) {
    struct connection *c = events[i].data.ptr;
    if (events[i].events & EPOLLOUT) push(c);
    if (events[i].events & ~EPOLLOUT) receive(c);
  }
}

// A machine that stands still is nobody's silence: returns how long it took, but no longer than it meant to wait.
static double short_turn(void) {
  double began = now();
  turn(began + SHORT_TURN_S);
  double took = now() - began;
  return took < SHORT_TURN_S ? took : SHORT_TURN_S;
}

static unsigned long in_flight(unsigned count) {
  unsigned long sum = 0;
  for (unsigned i = 0; i < count; i++) sum += connections[i].in_flight;
  return sum;
}

static unsigned long percentile(double share) {
  unsigned long seen = 0, us = 0;
  while (us < BUCKETS - 1 && (seen += latencies[us]) < share * answered) us++;
  return us;
}

static char *contents(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) < 0) {
    perror(path);
    exit(2);
  }
  *length = ftell(file);
  rewind(file);
  char *bytes = malloc(*length);
  if (bytes == NULL || fread(bytes, 1, *length, file) != *length) exit(2);
  fclose(file);
  return bytes;
}

int main(int count, char **values) {
  if (count != 10) {
    fprintf(stderr, "usage: load PORT CONNECTIONS DEPTH SECONDS messages|churn SIZE MESSAGES REPLIES END,END...\n");
    return 2;
  }
  unsigned connection_count = atoi(values[2]);
  double seconds = atof(values[4]);
  size_t replies_length;
  server.sin_port = htons(atoi(values[1]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  depth = atoi(values[3]);
  churn = strcmp(values[5], "churn") == 0;
  size = atol(values[6]);
  messages = contents(values[7], &round_length);
  replies = contents(values[8], &replies_length);
  for (char *end = strtok(values[9], ","); end != NULL && texts < MOST_TEXTS; end = strtok(NULL, ",")) ends[texts++] = atol(end);
  if (connection_count == 0 || depth == 0 || size == 0 || texts * size != round_length || ends[texts - 1] != replies_length) {
    fprintf(stderr, "load: these do not belong together\n");
    return 2;
  }

  poll = epoll_create1(0);
  connections = calloc(connection_count, sizeof *connections);
  double *times = calloc((size_t)connection_count * depth, sizeof *times);
  for (unsigned i = 0; i < connection_count; i++) connections[i].sent_at = times + (size_t)i * depth;
  if (!churn) for (unsigned i = 0; i < connection_count && problem[0] == 0; i++) dial(&connections[i]);
  double began = now();
  for (unsigned i = 0; i < connection_count && problem[0] == 0; i++) {
    if (churn) dial(&connections[i]);
    else begin(&connections[i], depth);
  }
  while (problem[0] == 0 && now() < began + seconds) turn(began + seconds);
  for (double left = LAST_REPLIES_S; problem[0] == 0 && answered == 0 && left > 0;) left -= short_turn();
  double took = now() - began;
  over = 1;
  for (double left = LAST_REPLIES_S; problem[0] == 0 && in_flight(connection_count) > 0 && left > 0;) left -= short_turn();
  if (in_flight(connection_count) > 0) report("%lu replies never came.", in_flight(connection_count));
  for (unsigned i = 0; i < connection_count; i++) if (connections[i].fd > 0) reset(&connections[i]);

  double rate = answered / took;
  printf("{\"messages\":%lu,\"rate\":%.3f,\"mbPerSecond\":%.9f,\"latencyUs\":{\"p50\":%lu,\"p99\":%lu},\"problems\":[%s%s%s]}\n",
    answered, rate, rate * size / 1e6, percentile(0.5), percentile(0.99),
    problem[0] ? "\"" : "", problem, problem[0] ? "\"" : "");
  return 0;
}
