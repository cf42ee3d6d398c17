/* The border between Python and C. Wrappers have four steps: bind, make outputs, release the GIL and call, finish. */
#ifndef VNPY_H
#define VNPY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL vnpy_numpy
#ifndef VNPY_IMPORT_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#undef I /* complex.h's, which the contract uses as a size */

#include "../core/vn_status.h"

/* Families of functions: each has a file here, a method table vnpy_<family>_methods, and vnpy_<family>_exec, which
 * adds its types (return 0) and may be NULL work. */
#define VNPY_FAMILIES(X) \
    X(annotate)          \
    X(apply)             \
    X(core)              \
    X(image)             \
    X(image_negatives)   \
    X(levels)            \
    X(local)             \
    X(loss)              \
    X(made)              \
    X(masks)             \
    X(model)             \
    X(negatives)         \
    X(optim)             \
    X(ops)               \
    X(scenes)            \
    X(scores)            \
    X(terms)             \
    X(text)              \
    X(wordlists)

#define X(family)                                \
    extern PyMethodDef vnpy_##family##_methods[]; \
    int vnpy_##family##_exec(PyObject *module);
VNPY_FAMILIES(X)
#undef X

/* Axis letters bind when first seen and must then agree: "N,C" and "C" share C. Digits are fixed sizes. */
typedef struct vnpy_axes {
    int64_t size[26];
    const char *name[26]; /* the argument that bound the letter */
} vnpy_axes;

/* Data of a C-contiguous array of exactly this NumPy type and shape, borrowed for the call; NULL with an exception
 * that names the argument, what was expected and what came. No silent casts. */
void *vnpy_in(PyObject *object, const char *name, int type, const char *axes, vnpy_axes *bound);
/* The same for None: *ok stays 1 and the result is NULL; an error clears *ok. */
void *vnpy_in_or_none(PyObject *object, const char *name, int type, const char *axes, vnpy_axes *bound, int *ok);
/* The same for an array that the call writes. */
void *vnpy_inout(PyObject *object, const char *name, int type, const char *axes, vnpy_axes *bound);
/* Size of an axis. */
static inline int64_t
vnpy_size(const vnpy_axes *bound, char letter)
{
    return bound->size[letter - 'A'];
}
/* A new array; sizes by letters that are bound or by digits. */
PyObject *vnpy_out(int type, const char *axes, const vnpy_axes *bound);
void *vnpy_data(PyObject *array);

/* 0 when n arguments came as expected, -1 with TypeError. */
int vnpy_count(const char *function, Py_ssize_t n, Py_ssize_t expected);
/* -1 with an exception, else 0. */
int vnpy_int64(PyObject *object, const char *name, int64_t low, int64_t high, int64_t *out);
int vnpy_uint64(PyObject *object, const char *name, uint64_t *out);
int vnpy_float(PyObject *object, const char *name, float *out);

/* NULL, after setting the exception that belongs to status. */
PyObject *vnpy_raise(vn_status status, const vn_error *error);

#endif
