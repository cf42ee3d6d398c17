/* dlopen and LoadLibrary behind two calls. */
#include "vn_library.h"

#ifdef _WIN32
#include <windows.h>

vn_status
vn_library_open(void **library, const char *path, vn_error *error)
{
    *library = (void *)LoadLibraryA(path);
    if (*library == NULL)
        return vn_fail(error, VN_EDEVICE, "cannot open %s: error %lu", path, GetLastError());
    return VN_OK;
}

void *
vn_library_symbol(void *library, const char *name)
{
    return (void *)GetProcAddress((HMODULE)library, name);
}
#else
#include <dlfcn.h>

vn_status
vn_library_open(void **library, const char *path, vn_error *error)
{
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*library == NULL)
        return vn_fail(error, VN_EDEVICE, "cannot open %s: %s", path, dlerror());
    return VN_OK;
}

void *
vn_library_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}
#endif
