/* Opens OpenBLAS by path, looks up four functions, sets it to one thread once and for all. */
#include "vn_blas.h"

#include "vn_library.h"

static vn_blas_sgemm *sgemm;
static const char *(*core_name)(void);
static const char *(*config)(void);

vn_status
vn_blas_open(const char *path, vn_error *error)
{
    void *library;
    void (*set_threads)(int);
    const char *(*get_core)(void), *(*get_config)(void);
    vn_blas_sgemm *found;
    if (path == NULL) {
        sgemm = NULL;
        return VN_OK;
    }
    VN_TRY(vn_library_open(&library, path, error));
    /* ISO C has no cast from void * to a function: POSIX asks for this detour */
    *(void **)&set_threads = vn_library_symbol(library, "scipy_openblas_set_num_threads");
    *(void **)&get_core = vn_library_symbol(library, "scipy_openblas_get_corename");
    *(void **)&get_config = vn_library_symbol(library, "scipy_openblas_get_config");
    *(void **)&found = vn_library_symbol(library, "scipy_cblas_sgemm");
    if (set_threads == NULL || get_core == NULL || get_config == NULL || found == NULL)
        return vn_fail(error, VN_EFORMAT, "%s is no OpenBLAS with the prefix scipy_", path);
    set_threads(1);
    sgemm = found;
    core_name = get_core;
    config = get_config;
    return VN_OK;
}

vn_blas_sgemm *
vn_blas(void)
{
    return sgemm;
}

const char *
vn_blas_core(void)
{
    return sgemm != NULL ? core_name() : "";
}

const char *
vn_blas_config(void)
{
    return sgemm != NULL ? config() : "";
}
