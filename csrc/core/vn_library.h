/* Opens a shared library by its full path, with symbols of its own. */
#ifndef VN_LIBRARY_H
#define VN_LIBRARY_H

#include "vn_status.h"

vn_status vn_library_open(void **library, const char *path, vn_error *error);
/* NULL when the library has no such symbol */
void *vn_library_symbol(void *library, const char *name);

#endif
