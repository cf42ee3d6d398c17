/* Threads and the random function. */
#include "vnpy.h"

#include "../core/vn_parallel.h"
#include "../core/vn_philox.h"

static PyObject *
set_threads(PyObject *module, PyObject *n)
{
    int64_t threads;
    (void)module;
    if (vnpy_int64(n, "n", 0, 1 << 20, &threads) < 0)
        return NULL;
    vn_parallel_set_threads((int)threads);
    return PyLong_FromLong(vn_parallel_threads());
}

static PyObject *
threads(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    return PyLong_FromLong(vn_parallel_threads());
}

/* philox(seed, row, draw, stream) -> four 32-bit words */
static PyObject *
philox(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    uint64_t seed, row;
    int64_t draw, stream;
    (void)module;
    if (vnpy_count("philox", n, 4) < 0 || vnpy_uint64(args[0], "seed", &seed) < 0 ||
        vnpy_uint64(args[1], "row", &row) < 0 || vnpy_int64(args[2], "draw", 0, UINT32_MAX, &draw) < 0 ||
        vnpy_int64(args[3], "stream", 0, UINT32_MAX, &stream) < 0)
        return NULL;
    vn_philox4 r = vn_philox(seed, row, (uint32_t)draw, (uint32_t)stream);
    return Py_BuildValue("kkkk", (unsigned long)r.x[0], (unsigned long)r.x[1], (unsigned long)r.x[2],
                         (unsigned long)r.x[3]);
}

PyMethodDef vnpy_core_methods[] = {
    {"set_threads", set_threads, METH_O, "set_threads(n) -> threads in use; 0: the default"},
    {"threads", threads, METH_NOARGS, "threads() -> int"},
    {"philox", (PyCFunction)(void (*)(void))philox, METH_FASTCALL, "philox(seed, row, draw, stream) -> 4 words"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_core_exec(PyObject *module)
{
    (void)module;
    return 0;
}
