#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "conn_fixture.h"
#include "net/pipe.h"

extern char **environ;

/* A program under test, its streams as connections. */
struct program {
    struct el_child *child;
    struct el_spawned files;
    struct el_conn *conn, *errors;
    bool exited, gone;
};

static void on_exited(void *owner)
{
    struct program *p = owner;
    assert_false(p->exited);
    p->exited = true;
}

static void on_gone(void *owner)
{
    struct program *p = owner;
    assert_true(p->exited);
    assert_false(p->gone);
    p->gone = true;
}

static const struct el_child_events events = {.exited = on_exited, .gone = on_gone};

static struct el_conn *connection(struct el_loop *loop, struct el_stream *stream)
{
    struct el_conn *conn;
    struct el_transcript *t = el_transcript_new("program", EL_TRANSCRIPT_BYTES);
    assert_int_equal(el_conn_new(loop, stream, 1000, t, &conn), 0);
    return conn;
}

static void start(struct program *p, struct el_loop *loop, const char *script)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    struct el_spawn_options options = {.argv = argv, .envp = environ};
    enum el_spawn_step step;
    struct el_stream *stream, *error_stream;
    memset(p, 0, sizeof(*p));
    assert_int_equal(el_child_start(loop, &options, &p->child, &p->files, &step), 0);
    p->child->events = &events;
    p->child->owner = p;
    assert_int_equal(
        el_pipe_adopt(loop, p->files.output, p->files.input, p->child, &stream), 0);
    assert_int_equal(el_pipe_adopt(loop, p->files.errors, -1, NULL, &error_stream), 0);
    p->conn = connection(loop, stream);
    p->errors = connection(loop, error_stream);
}

static void finish(struct program *p, struct el_loop *loop)
{
    el_conn_free(p->conn);
    el_conn_free(p->errors);
    loopback_until(loop, &p->gone);
    assert_null(loop->children);
    assert_int_equal(waitpid(p->files.pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    el_child_unref(p->child);
}

static void until_ended(struct el_loop *loop, const struct el_conn *c)
{
    while (!el_conn_ended(c))
        loopback_turn(loop);
}

static void send_text(struct el_conn *c, const char *text)
{
    uv_buf_t buf = uv_buf_init((char *)text, (unsigned)strlen(text));
    size_t taken;
    assert_int_equal(el_conn_try_send(c, NULL, &buf, 1, &taken), 0);
    assert_int_equal(taken, strlen(text));
}

static void test_its_end_is_told_after_which_it_is_gone(void **state)
{
    struct program p;
    start(&p, *state, "exit 7");
    loopback_until(*state, &p.gone);
    assert_int_equal(p.child->code, 7);
    assert_int_equal(p.child->signal, 0);
    assert_int_equal(p.child->group, 0);
    until_ended(*state, p.conn);
    assert_int_equal(p.conn->rx_end, EL_EEOF);
    finish(&p, *state);
}

static void test_a_member_of_its_group_keeps_it(void **state)
{
    struct program p;
    start(&p, *state, "sleep 1000 & exit 0");
    loopback_until(*state, &p.exited);
    assert_false(p.gone);
    assert_int_equal(kill(-p.files.pid, 0), 0);
    assert_int_equal(el_child_kill(p.child, SIGKILL), 0);
    finish(&p, *state);
}

static void test_one_that_is_deaf_is_killed(void **state)
{
    struct program p;
    start(&p, *state, "trap '' TERM; echo x; while :; do sleep 0.01; done");
    while (p.conn->rx.len < 2)
        loopback_turn(*state);
    el_child_end(p.child, false);
    el_child_end(p.child, false); /* harmless */
    loopback_until(*state, &p.gone);
    assert_int_equal(p.child->signal, SIGKILL);
    finish(&p, *state);
}

static void test_a_reset_kills_at_once(void **state)
{
    struct program p;
    start(&p, *state, "trap '' TERM; echo x; while :; do sleep 0.01; done");
    while (p.conn->rx.len < 2)
        loopback_turn(*state);
    el_conn_close(p.conn, true);
    assert_true(p.child->killed);
    loopback_until(*state, &p.gone);
    assert_int_equal(p.child->signal, SIGKILL);
    finish(&p, *state);
}

static void test_the_end_of_our_half_is_the_end_of_its_input(void **state)
{
    struct program p;
    start(&p, *state, "cat; echo end >&2");
    send_text(p.conn, "one");
    assert_int_equal(el_conn_shutdown(p.conn), 0);
    until_ended(*state, p.conn);
    assert_int_equal(p.conn->rx.len, 3);
    until_ended(*state, p.errors);
    assert_int_equal(p.errors->rx.len, 4);
    finish(&p, *state);
}

/* A pipe cannot be peeked into: whether it holds more, or has ended, is asked otherwise. */
static void test_a_full_buffer_tells_more_from_the_end(void **state)
{
    struct program p;
    struct waiter w = {.await.ready = el_conn_ready_end};
    struct waiter again = {.await.ready = el_conn_ready_end};
    start(&p, *state, "head -c 1000 /dev/zero; read x; echo; read x; exec >&-; read x");
    struct fixture f = {.loop = *state, .conn = p.conn, .peer = -1};
    until_rx(&f, 1000);
    wait_for(&f, &w);
    loopback_turn(*state);
    assert_false(w.done); /* neither */
    send_text(p.conn, "more\n");
    until_done(&f, &w, EL_ELIMIT);
    el_conn_consume(p.conn, 1);
    wait_for(&f, &again);
    until_rx(&f, 1000);
    send_text(p.conn, "end\n");
    until_done(&f, &again, 0);
    assert_int_equal(p.conn->rx_end, EL_EEOF);
    assert_int_equal(p.conn->rx.len, 1000);
    finish(&p, *state);
}

static void test_what_nobody_reads_gives_way(void **state)
{
    struct program p;
    start(&p, *state, "head -c 100000 /dev/zero >&2; printf end >&2");
    el_conn_overhear(p.errors);
    until_ended(*state, p.errors);
    assert_int_equal(p.errors->rx.len + p.errors->dropped, 100003);
    assert_true(p.errors->rx.len <= 1000);
    assert_memory_equal(el_buf_data(&p.errors->rx) + p.errors->rx.len - 3, "end", 3);
    finish(&p, *state);
}

static void test_what_cannot_start_says_at_what_it_failed(void **state)
{
    struct el_loop *loop = *state;
    char *missing[] = {(char *)"/no/such/command", NULL};
    char *locked[] = {(char *)"/etc/passwd", NULL};
    struct el_spawn_options options = {.argv = missing, .envp = environ};
    struct el_child *child;
    struct el_spawned files;
    enum el_spawn_step step;
    int before = dup(0), after;
    assert_int_equal(close(before), 0);
    assert_int_equal(el_child_start(loop, &options, &child, &files, &step), -ENOENT);
    assert_int_equal(step, EL_SPAWN_EXEC);
    options.argv = locked;
    assert_int_equal(el_child_start(loop, &options, &child, &files, &step), -EACCES);
    options.cwd = "/no/such/directory";
    assert_int_equal(el_child_start(loop, &options, &child, &files, &step), -ENOENT);
    assert_int_equal(step, EL_SPAWN_CWD);
    assert_null(loop->children);
    after = dup(0); /* the lowest that is free: nothing was left open */
    assert_int_equal(after, before);
    assert_int_equal(close(after), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* With the loop everything ends, in bounded time: one that is deaf, one that left another. */
static void test_the_loop_takes_its_programs_with_it(void **state)
{
    struct el_loop loop;
    struct program p, q;
    (void)state;
    assert_int_equal(el_loop_init(&loop), 0);
    start(&p, &loop, "trap '' TERM; echo x; while :; do sleep 0.01; done");
    start(&q, &loop, "sleep 1000 & echo x");
    while (p.conn->rx.len < 2 || q.conn->rx.len < 2 || !q.exited)
        loopback_turn(&loop);
    el_conn_free(p.errors);
    el_conn_free(q.errors);
    el_conn_free(p.conn);
    el_conn_free(q.conn);
    el_loop_fini(&loop);
    assert_true(p.gone && q.gone);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    el_child_unref(p.child);
    el_child_unref(q.child);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, loopback_setup, loopback_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_its_end_is_told_after_which_it_is_gone),
        WITH_LOOP(test_a_member_of_its_group_keeps_it),
        WITH_LOOP(test_one_that_is_deaf_is_killed),
        WITH_LOOP(test_a_reset_kills_at_once),
        WITH_LOOP(test_the_end_of_our_half_is_the_end_of_its_input),
        WITH_LOOP(test_a_full_buffer_tells_more_from_the_end),
        WITH_LOOP(test_what_nobody_reads_gives_way),
        WITH_LOOP(test_what_cannot_start_says_at_what_it_failed),
        cmocka_unit_test(test_the_loop_takes_its_programs_with_it),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
