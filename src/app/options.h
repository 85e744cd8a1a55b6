/* options.h - one table of commands and options: parsing, --help and (later) whatever else
 * is made from it. Stateless; parsed options go into a Lua table. */
#ifndef EL_APP_OPTIONS_H
#define EL_APP_OPTIONS_H

#include <lua.h>
#include <stddef.h>

enum el_option_type {
    EL_OPT_FLAG,    /* true */
    EL_OPT_TEXT,    /* a string */
    EL_OPT_LIST,    /* a list of strings, one each time */
    EL_OPT_COUNT,   /* a whole number from 1 */
    EL_OPT_WHOLE,   /* a whole number from 0 */
    EL_OPT_SECONDS, /* a number, positive */
    EL_OPT_SIZE,    /* bytes: 512M, 64k, 1G */
    EL_OPT_CHOICE,  /* one of `choices`, separated by | */
};

struct el_option {
    const char *name;
    char letter; /* 0: none */
    enum el_option_type type;
    const char *value; /* what --help calls its value; of a choice: the choices */
    const char *help;
};

struct el_command {
    const char *name;
    const char *usage; /* what stands behind the name */
    const char *summary;
    const char *module;              /* the embedded module that carries it out */
    const struct el_option *options; /* ends with a NULL name */
    int stops_at_operand;            /* what follows the first operand is its own */
};

extern const struct el_command el_commands[]; /* ends with a NULL name */

const struct el_command *el_options_command(const char *name);

/* [-0, +1, memory] Parses argv[1..]; pushes {name = value, ..., operand, ...}. 0, or -1 with
 * a message pushed instead. `help` is an option of every command. */
int el_options_parse(lua_State *L, const struct el_command *command, int argc,
                     char **argv);

/* Writes the command's help, or with NULL the program's, to standard output. */
void el_options_help(const struct el_command *command);

#endif
