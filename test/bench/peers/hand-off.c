// The same shape as ours, in C: the parent accepts and passes each socket (SCM_RIGHTS) to one of its pre-forked workers
// in turn; a worker waits with epoll and puts ASCII into upper case. Built and started by ../peers.ts. hand-off WORKERS
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ONE_READ = 65536, EVENTS = 256, MOST_WORKERS = 1024 };

struct connection {
  int fd;
  size_t unsent, at; // What the system had no room for; while there is some, nothing is read.
  unsigned char *rest;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int poll, int how, struct connection *connection, unsigned events) {
  struct epoll_event event = { .events = events, .data.ptr = connection };
  if (epoll_ctl(poll, how, connection->fd, &event) < 0) fail("epoll_ctl");
}

static void end(int poll, struct connection *connection) {
  // Closing is not enough: as long as the parent has not closed its copy, events would come for what is freed here.
  epoll_ctl(poll, EPOLL_CTL_DEL, connection->fd, NULL);
  close(connection->fd);
  free(connection->rest);
  free(connection);
}

/** Receives one socket. Returns -1 when the parent is gone. */
static int receive(int from) {
  char byte;
  union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  struct iovec data = { &byte, 1 };
  struct msghdr message = {
    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space,
  };
  int fd;
  if (recvmsg(from, &message, 0) <= 0 || CMSG_FIRSTHDR(&message) == NULL) return -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

static void pass(int to, int fd) {
  char byte = 0;
  union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  struct iovec data = { &byte, 1 };
  struct msghdr message = {
    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(to, &message, 0) < 0) fail("sendmsg");
  close(fd);
}

static void answer(int poll, struct connection *connection, unsigned char *buffer) {
  ssize_t length = read(connection->fd, buffer, ONE_READ);
  if (length <= 0) {
    if (length == 0 || (errno != EAGAIN && errno != EINTR)) end(poll, connection);
    return;
  }
  for (ssize_t i = 0; i < length; i++) buffer[i] -= buffer[i] >= 'a' && buffer[i] <= 'z' ? 32 : 0;
  ssize_t sent = write(connection->fd, buffer, length);
  if (sent < 0 && errno != EAGAIN) return end(poll, connection);
  if (sent < 0) sent = 0;
  if (sent == length) return;
  connection->at = 0;
  connection->unsent = length - sent;
  connection->rest = malloc(connection->unsent);
  if (connection->rest == NULL) fail("malloc");
  memcpy(connection->rest, buffer + sent, connection->unsent);
  watch(poll, EPOLL_CTL_MOD, connection, EPOLLOUT);
}

static void send_rest(int poll, struct connection *connection) {
  ssize_t sent = write(connection->fd, connection->rest + connection->at, connection->unsent);
  if (sent < 0) {
    if (errno != EAGAIN) end(poll, connection);
    return;
  }
  connection->at += sent;
  connection->unsent -= sent;
  if (connection->unsent > 0) return;
  free(connection->rest);
  connection->rest = NULL;
  watch(poll, EPOLL_CTL_MOD, connection, EPOLLIN);
}

static void work(int parent) {
  static unsigned char buffer[ONE_READ];
  struct epoll_event events[EVENTS];
  struct connection from = { .fd = parent };
  int poll = epoll_create1(0);
  watch(poll, EPOLL_CTL_ADD, &from, EPOLLIN);
  for (;;) {
    int count = epoll_wait(poll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (connection != &from) {
        if (connection->unsent > 0) send_rest(poll, connection);
        else answer(poll, connection, buffer);
        continue;
      }
      struct connection *begun = calloc(1, sizeof *begun);
      if (begun == NULL) fail("calloc");
      begun->fd = receive(parent);
      if (begun->fd < 0) exit(0);
      watch(poll, EPOLL_CTL_ADD, begun, EPOLLIN);
    }
  }
}

int main(int argc, char **argv) {
  int workers = argc > 1 ? atoi(argv[1]) : 0;
  int to[MOST_WORKERS];
  if (workers < 1 || workers > MOST_WORKERS) return 2;
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < workers; i++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0) fail("socketpair");
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
      for (int j = 0; j < i; j++) close(to[j]); // So that each sees the end of the parent.
      close(pair[0]);
      work(pair[1]);
    }
    close(pair[1]);
    to[i] = pair[0];
  }
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (int next = 0;; next = (next + 1) % workers) {
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pass(to[next], fd);
  }
}
