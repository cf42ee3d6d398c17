/* Masks of objects from polygons and runs. */
#include "vnpy.h"

#include <string.h>

#include "../core/vn_parallel.h"
#include "../image/vn_image.h"

enum { MAX_SIDE = 1 << 20 };

/* M objects: object m is of the parts [object[m], object[m+1]), part p of the items [part[p], part[p+1]). Where objects
 * are runs, each is one part. */
typedef struct mask_job {
    uint8_t *mask; /* (M,H,W) */
    const double *point;
    const int64_t *run, *part, *object;
    int64_t H, W;
} mask_job;

static void
mask_body(void *arg, int64_t m, int worker)
{
    const mask_job *job = arg;
    (void)worker;
    uint8_t *mask = job->mask + m * job->H * job->W;
    if (job->run != NULL) {
        vn_mask_runs(mask, job->H, job->W, job->run + job->object[m], job->object[m + 1] - job->object[m]);
        return;
    }
    for (int64_t p = job->object[m]; p < job->object[m + 1]; p++)
        vn_mask_polygon(mask, job->H, job->W, job->point + 2 * job->part[p], job->part[p + 1] - job->part[p]);
}

/* Starts of n pieces of a list of this many items: from 0 to items, never falling. */
static int
check_starts(const int64_t *start, const char *name, int64_t n, int64_t items)
{
    int ok = n >= 1 && start[0] == 0 && start[n - 1] == items;
    for (int64_t i = 1; ok && i < n; i++)
        ok = start[i] >= start[i - 1];
    if (!ok)
        PyErr_Format(PyExc_ValueError, "%s must rise from 0 to %lld", name, (long long)items);
    return ok ? 0 : -1;
}

static PyObject *
draw(mask_job *job, int64_t M)
{
    npy_intp shape[3] = {(npy_intp)M, (npy_intp)job->H, (npy_intp)job->W};
    PyObject *out = PyArray_ZEROS(3, shape, NPY_UINT8, 0);
    if (out == NULL)
        return NULL;
    job->mask = vnpy_data(out);
    Py_BEGIN_ALLOW_THREADS
    vn_parallel_for(M, mask_body, job);
    Py_END_ALLOW_THREADS
    return out;
}

/* mask_polygons(points (N,2) f64, parts (P) i64, objects (M) i64, H, W) -> (M-1,H,W) u8 */
static PyObject *
mask_polygons(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    mask_job job = {0};
    (void)module;
    if (vnpy_count("mask_polygons", n, 5) < 0 ||
        (job.point = vnpy_in(args[0], "points", NPY_FLOAT64, "N,2", &axes)) == NULL ||
        (job.part = vnpy_in(args[1], "parts", NPY_INT64, "P", &axes)) == NULL ||
        (job.object = vnpy_in(args[2], "objects", NPY_INT64, "M", &axes)) == NULL ||
        vnpy_int64(args[3], "height", 1, MAX_SIDE, &job.H) < 0 ||
        vnpy_int64(args[4], "width", 1, MAX_SIDE, &job.W) < 0 ||
        check_starts(job.part, "parts", vnpy_size(&axes, 'P'), vnpy_size(&axes, 'N')) < 0 ||
        check_starts(job.object, "objects", vnpy_size(&axes, 'M'), vnpy_size(&axes, 'P') - 1) < 0)
        return NULL;
    for (int64_t i = 0; i < 2 * vnpy_size(&axes, 'N'); i++)
        if (!(job.point[i] >= -MAX_SIDE && job.point[i] <= MAX_SIDE)) {
            PyErr_Format(PyExc_ValueError, "points must be finite and at most %d away, points[%lld] is not", MAX_SIDE,
                         (long long)(i / 2));
            return NULL;
        }
    return draw(&job, vnpy_size(&axes, 'M') - 1);
}

/* mask_runs(runs (N) i64, objects (M) i64, H, W) -> (M-1,H,W) u8 */
static PyObject *
mask_runs(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    mask_job job = {0};
    (void)module;
    if (vnpy_count("mask_runs", n, 4) < 0 || (job.run = vnpy_in(args[0], "runs", NPY_INT64, "N", &axes)) == NULL ||
        (job.object = vnpy_in(args[1], "objects", NPY_INT64, "M", &axes)) == NULL ||
        vnpy_int64(args[2], "height", 1, MAX_SIDE, &job.H) < 0 ||
        vnpy_int64(args[3], "width", 1, MAX_SIDE, &job.W) < 0 ||
        check_starts(job.object, "objects", vnpy_size(&axes, 'M'), vnpy_size(&axes, 'N')) < 0)
        return NULL;
    for (int64_t m = 0; m + 1 < vnpy_size(&axes, 'M'); m++) {
        int64_t left = job.H * job.W;
        for (int64_t i = job.object[m]; i < job.object[m + 1] && left >= 0; i++)
            left = job.run[i] < 0 || job.run[i] > left ? -1 : left - job.run[i];
        if (left != 0) {
            PyErr_Format(PyExc_ValueError,
                         "the runs of mask %lld must be lengths of at least 0 that fill %lld x %lld pixels exactly",
                         (long long)m, (long long)job.H, (long long)job.W);
            return NULL;
        }
    }
    return draw(&job, vnpy_size(&axes, 'M') - 1);
}

/* mask_unpack(text: bytes) -> runs (N) i64 */
static PyObject *
mask_unpack(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vn_error error;
    char *text;
    Py_ssize_t bytes;
    int64_t runs;
    (void)module;
    if (vnpy_count("mask_unpack", n, 1) < 0)
        return NULL;
    if (!PyBytes_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "packed runs must be bytes, got %.80s", Py_TYPE(args[0])->tp_name);
        return NULL;
    }
    if (PyBytes_AsStringAndSize(args[0], &text, &bytes) < 0)
        return NULL;
    int64_t *run = PyMem_Calloc((size_t)bytes + 1, sizeof *run);
    if (run == NULL)
        return PyErr_NoMemory();
    PyObject *out = NULL;
    vn_status status = vn_mask_unpack(run, &runs, text, bytes, &error);
    if (status == VN_OK) {
        vnpy_axes axes = {.size['N' - 'A'] = runs};
        out = vnpy_out(NPY_INT64, "N", &axes);
    } else {
        vnpy_raise(status, &error);
    }
    if (out != NULL)
        memcpy(vnpy_data(out), run, (size_t)runs * sizeof *run);
    PyMem_Free(run);
    return out;
}

PyMethodDef vnpy_masks_methods[] = {
    {"mask_polygons", (PyCFunction)(void (*)(void))mask_polygons, METH_FASTCALL,
     "mask_polygons(points, parts, objects, height, width) -> (objects,height,width) uint8"},
    {"mask_runs", (PyCFunction)(void (*)(void))mask_runs, METH_FASTCALL,
     "mask_runs(runs, objects, height, width) -> (objects,height,width) uint8"},
    {"mask_unpack", (PyCFunction)(void (*)(void))mask_unpack, METH_FASTCALL, "mask_unpack(text) -> runs int64"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_masks_exec(PyObject *module)
{
    (void)module;
    return 0;
}
