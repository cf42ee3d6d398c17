/* How the core says no: a status, and a sentence in memory the caller owns. */
#ifndef VN_STATUS_H
#define VN_STATUS_H

#include <stdarg.h>
#include <stdio.h>

typedef enum vn_status {
    VN_OK,
    VN_ESHAPE,       /* ValueError */
    VN_EVALUE,       /* ValueError */
    VN_EFORMAT,      /* ValueError: a file or buffer that is not what it claims */
    VN_ENOMEM,       /* MemoryError */
    VN_EUNSUPPORTED, /* NotImplementedError */
    VN_EDEVICE,      /* vlmneg.DeviceError */
    VN_STATUS_END
} vn_status;

typedef struct vn_error {
    char text[400];
} vn_error;

#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
static inline vn_status
vn_fail(vn_error *error, vn_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

#define VN_TRY(call)                      \
    do {                                  \
        vn_status vn_try_status = (call); \
        if (vn_try_status != VN_OK)       \
            return vn_try_status;         \
    } while (0)

#endif
