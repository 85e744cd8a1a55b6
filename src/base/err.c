#include "base/err.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct entry {
    int code;
    const char *name;
    const char *kind;
    const char *text;
};

static const struct entry entries[] = {
#define OWN(code, kind, text) {EL_##code, NULL, kind, text},
    EL_ERR_CODES(OWN)
#undef OWN
#define SYS(code, kind, text) {-code, #code, kind, text},
        EL_ERR_ERRNOS(SYS)
#undef SYS
};

static const struct entry *find(int err)
{
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        if (entries[i].code == err)
            return &entries[i];
    }
    return NULL;
}

const char *el_err_kind(int err)
{
    const struct entry *e = find(err);
    return e != NULL ? e->kind : "denied";
}

const char *el_err_name(int err)
{
    const struct entry *e = find(err);
    return e != NULL ? e->name : NULL;
}

const char *el_err_text(int err)
{
    const struct entry *e = find(err);
    if (e != NULL)
        return e->text;
    return err > EL_ERR_BASE ? strerror(-err) : "unknown error";
}
