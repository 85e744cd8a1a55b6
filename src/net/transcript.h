/* transcript.h - the newest of what one connection sent and received, with times.
 * Counted references: the connection holds one, a report may hold another. One thread. */
#ifndef EL_NET_TRANSCRIPT_H
#define EL_NET_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define EL_TRANSCRIPT_BYTES ((size_t)65536)

/* What is kept where no report will show it all: enough for an error's message. */
#define EL_TRANSCRIPT_BYTES_FEW ((size_t)4096)

/* Of one event at most a sixteenth of that is kept from its start, and as much from its end: a
 * bulk transfer costs little, and what a reader looks at is there. */
#define EL_TRANSCRIPT_PARTS 16
#define EL_TRANSCRIPT_PART (EL_TRANSCRIPT_BYTES / EL_TRANSCRIPT_PARTS)

enum el_direction {
    EL_DIR_SEND,
    EL_DIR_RECV,
    EL_DIR_OPEN,
    EL_DIR_EOF,
    EL_DIR_CLOSE,
    EL_DIR_RESET,
    EL_DIR_SHUTDOWN,
    EL_DIR_TLS, /* its data: what the handshake agreed on */
};

struct el_transcript;

/* `name` (may be NULL) is copied: what reports call the party. `most` bytes are kept, a power of
 * two from 512 to EL_TRANSCRIPT_BYTES. One reference is held by the caller. NULL when memory is
 * out. */
struct el_transcript *el_transcript_new(const char *name, size_t most);
struct el_transcript *el_transcript_ref(struct el_transcript *t);
void el_transcript_unref(struct el_transcript *t);

/* Notes an event; memory running out drops it, as the ring's end does. `len` may be 0. */
void el_transcript_add(struct el_transcript *t, enum el_direction dir, uint64_t t_ns,
                       const void *data, size_t len);

/* Notes an event of which no more than the first `keep` bytes are kept, and no more than a part. */
void el_transcript_add_head(struct el_transcript *t, enum el_direction dir, uint64_t t_ns,
                            const void *data, size_t len, size_t keep);

/* Notes an event of a datagram socket. `with` (`with_len` bytes of a socket address; 0: none): whom
 * the datagram came from or went to, where the socket has more than one peer. */
void el_transcript_add_datagram(struct el_transcript *t, enum el_direction dir,
                                uint64_t t_ns, const struct sockaddr *with,
                                size_t with_len, const void *data, size_t len);

/* Asks the processor for the memory that the next event will be written to. */
void el_transcript_prefetch(const struct el_transcript *t);

/* One event as it is read back. `head` and `tail` are views that end with the next call;
 * between them `omitted` bytes were not kept. */
struct el_transcript_event {
    enum el_direction dir;
    uint64_t t_ns;
    const char *head;
    size_t head_len;
    size_t omitted;
    const char *tail;
    size_t tail_len;
    bool datagram;                /* it is one, or happened to a datagram socket */
    struct sockaddr_storage with; /* whom it is with; zero: the connection's peer */
};

typedef void el_transcript_fn(const struct el_transcript_event *e, void *arg);

/* Calls `each` for every event, oldest first. Returns 0 or -ENOMEM. */
int el_transcript_each(const struct el_transcript *t, el_transcript_fn *each, void *arg)
    __attribute__((warn_unused_result));

const char *el_transcript_name(const struct el_transcript *t);
void el_transcript_set_address(struct el_transcript *t, const char *address);
const char *el_transcript_address(const struct el_transcript *t);

/* A side channel, of interest only where something came by it; whether nothing did. */
void el_transcript_set_aside(struct el_transcript *t);
bool el_transcript_is_silent(const struct el_transcript *t);

/* Events that the ring no longer holds. */
uint64_t el_transcript_dropped(const struct el_transcript *t);

#endif
