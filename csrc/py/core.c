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

/* philox_rows(seed, rows, draw, stream) -> the first word of each row (N) uint32 */
static PyObject *
philox_rows(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    uint64_t seed;
    int64_t draw, stream;
    const uint64_t *row;
    (void)module;
    if (vnpy_count("philox_rows", n, 4) < 0 || vnpy_uint64(args[0], "seed", &seed) < 0 ||
        (row = vnpy_in(args[1], "rows", NPY_UINT64, "N", &axes)) == NULL ||
        vnpy_int64(args[2], "draw", 0, UINT32_MAX, &draw) < 0 ||
        vnpy_int64(args[3], "stream", 0, UINT32_MAX, &stream) < 0)
        return NULL;
    PyObject *out = vnpy_out(NPY_UINT32, "N", &axes);
    uint32_t *word = out == NULL ? NULL : vnpy_data(out);
    for (int64_t i = 0; word != NULL && i < vnpy_size(&axes, 'N'); i++)
        word[i] = vn_philox(seed, row[i], (uint32_t)draw, (uint32_t)stream).x[0];
    return out;
}

PyMethodDef vnpy_core_methods[] = {
    {"set_threads", set_threads, METH_O, "set_threads(n) -> threads in use; 0: the default"},
    {"threads", threads, METH_NOARGS, "threads() -> int"},
    {"philox", (PyCFunction)(void (*)(void))philox, METH_FASTCALL, "philox(seed, row, draw, stream) -> 4 words"},
    {"philox_rows", (PyCFunction)(void (*)(void))philox_rows, METH_FASTCALL,
     "philox_rows(seed, rows, draw, stream) -> the first word of each row"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_core_exec(PyObject *module)
{
    (void)module;
    return 0;
}
