/* Instruction levels and the matrix product behind them: which there are, which is in use. */
#include "vnpy.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../core/vn_blas.h"
#include "levels.h"

static _Atomic(const vn_backend *) current;

const vn_backend *
vnpy_backend(void)
{
    return atomic_load(&current);
}

static PyObject *
set_level(PyObject *module, PyObject *arg)
{
    (void)module;
    const char *name = PyUnicode_Check(arg) ? PyUnicode_AsUTF8(arg) : NULL;
    if (name == NULL)
        return PyErr_Format(PyExc_TypeError, "a level is a string");
    const vn_backend *be = vn_backend_find(name);
    if (be == NULL)
        return PyErr_Format(PyExc_ValueError, "no level %R: this CPU and build run those of levels()", arg);
    atomic_store(&current, be);
    Py_RETURN_NONE;
}

static PyObject *
level(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    return PyUnicode_FromString(vnpy_backend()->name);
}

static PyObject *
levels(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    const vn_backend *be;
    for (int i = 0; list != NULL && (be = vn_backend_at(i)) != NULL; i++) {
        PyObject *name = PyUnicode_FromString(be->name);
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

static PyObject *
open_blas(PyObject *module, PyObject *path)
{
    vn_error error;
    (void)module;
    const char *name = path == Py_None ? NULL : PyUnicode_AsUTF8(path);
    if (name == NULL && path != Py_None)
        return NULL;
    vn_status status = vn_blas_open(name, &error);
    if (status != VN_OK)
        return vnpy_raise(status, &error);
    Py_RETURN_NONE;
}

static PyObject *
blas(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    return Py_BuildValue("ss", vn_blas_core(), vn_blas_config());
}

/* gemm(a, b, ta, tb, builtin) -> C, on the level in use */
static PyObject *
gemm(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {{0}, {0}};
    int64_t ta, tb, builtin;
    (void)module;
    if (vnpy_count("gemm", n, 5) < 0 || vnpy_int64(args[2], "ta", 0, 1, &ta) < 0 ||
        vnpy_int64(args[3], "tb", 0, 1, &tb) < 0 || vnpy_int64(args[4], "builtin", 0, 1, &builtin) < 0)
        return NULL;
    const float *a = vnpy_in(args[0], "a", NPY_FLOAT32, ta ? "K,M" : "M,K", &axes);
    const float *b = a != NULL ? vnpy_in(args[1], "b", NPY_FLOAT32, tb ? "N,K" : "K,N", &axes) : NULL;
    PyObject *c = b != NULL ? vnpy_out(NPY_FLOAT32, "M,N", &axes) : NULL;
    if (c == NULL)
        return NULL;
    int64_t M = vnpy_size(&axes, 'M'), N = vnpy_size(&axes, 'N'), K = vnpy_size(&axes, 'K');
    float *out = vnpy_data(c);
    Py_BEGIN_ALLOW_THREADS
    if (builtin)
        vnpy_backend()->gemm_builtin(out, N, a, ta ? M : K, (int)ta, b, tb ? K : N, (int)tb, M, N, K, 0);
    else
        vnpy_backend()->gemm(out, a, b, M, N, K, (int)ta, (int)tb, 0);
    Py_END_ALLOW_THREADS
    return c;
}

PyMethodDef vnpy_levels_methods[] = {
    {"set_level", set_level, METH_O, "set_level(name): not while another thread computes"},
    {"level", level, METH_NOARGS, "level() -> name of the table in use"},
    {"levels", levels, METH_NOARGS, "levels() -> names that this CPU runs, best first"},
    {"open_blas", open_blas, METH_O, "open_blas(path or None)"},
    {"blas", blas, METH_NOARGS, "blas() -> (core name, configuration)"},
    {"gemm", (PyCFunction)(void (*)(void))gemm, METH_FASTCALL, "gemm(a, b, ta, tb, builtin) -> C"},
    {NULL, NULL, 0, NULL},
};

/* VLMNEG_CPU forces a level, so that tests run each. */
int
vnpy_levels_exec(PyObject *module)
{
    const char *name = getenv("VLMNEG_CPU");
    (void)module;
    const vn_backend *be = vn_backend_find(name != NULL && name[0] != 0 ? name : NULL);
    if (be == NULL) {
        PyErr_Format(PyExc_ImportError, "VLMNEG_CPU=%s: this CPU or build has no such level; the best it runs is %s",
                     name, vn_backend_at(0)->name);
        return -1;
    }
    atomic_store(&current, be);
    return 0;
}
