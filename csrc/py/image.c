/* Pictures: resize, CLIP's tensor, random boxes. */
#include "vnpy.h"

#include "../core/vn_parallel.h"
#include "../image/vn_image.h"

enum { PLAN = 6, MAX_SIDE = INT32_MAX };

/* A uint8 array (H,W,C) whose rows are contiguous; they may lie apart, as in a crop of a larger picture. */
static int
bind_picture(PyObject *object, vn_picture *p)
{
    if (!PyArray_Check(object) || PyArray_TYPE((PyArrayObject *)object) != NPY_UINT8 ||
        PyArray_NDIM((PyArrayObject *)object) != 3) {
        PyErr_SetString(PyExc_TypeError, "a picture must be a uint8 array of shape (H, W, C)");
        return -1;
    }
    PyArrayObject *a = (PyArrayObject *)object;
    *p = (vn_picture){PyArray_DATA(a), PyArray_DIM(a, 0), PyArray_DIM(a, 1), PyArray_DIM(a, 2), PyArray_STRIDE(a, 0)};
    if (p->H < 1 || p->W < 1 || p->H > MAX_SIDE || p->W > MAX_SIDE || p->C < 1 || p->C > 4) {
        PyErr_Format(PyExc_ValueError,
                     "a picture must have at least one pixel and 1 to 4 channels, got (%lld, %lld, %lld)",
                     (long long)p->H, (long long)p->W, (long long)p->C);
        return -1;
    }
    if ((p->C > 1 && PyArray_STRIDE(a, 2) != 1) || (p->W > 1 && PyArray_STRIDE(a, 1) != p->C)) {
        PyErr_SetString(PyExc_ValueError, "the rows of a picture must be contiguous; use numpy.ascontiguousarray");
        return -1;
    }
    return 0;
}

/* height, width, top, left, rows, columns */
static int
read_window(const int64_t *plan, vn_window *w)
{
    *w = (vn_window){plan[0], plan[1], plan[2], plan[3], plan[4], plan[5]};
    if (w->height < 1 || w->width < 1 || w->height > MAX_SIDE || w->width > MAX_SIDE || w->rows < 1 || w->columns < 1 ||
        w->top < 0 || w->left < 0 || w->rows > w->height - w->top || w->columns > w->width - w->left) {
        PyErr_Format(PyExc_ValueError, "a window must lie in the resized picture, got %lld x %lld at (%lld, %lld) of "
                     "%lld x %lld", (long long)w->rows, (long long)w->columns, (long long)w->top, (long long)w->left,
                     (long long)w->height, (long long)w->width);
        return -1;
    }
    return 0;
}

/* image_resize(picture (H,W,C) u8, plan (6) i64, order) -> (rows,columns,C) u8 */
static PyObject *
image_resize(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    vn_picture picture;
    vn_window window;
    vn_arena scratch = {0};
    vn_error error;
    int64_t order;
    (void)module;
    if (vnpy_count("image_resize", n, 3) < 0 || bind_picture(args[0], &picture) < 0)
        return NULL;
    const int64_t *plan = vnpy_in(args[1], "plan", NPY_INT64, "6", &axes);
    if (plan == NULL || read_window(plan, &window) < 0 || vnpy_int64(args[2], "order", 0, 2, &order) < 0)
        return NULL;
    npy_intp shape[3] = {(npy_intp)window.rows, (npy_intp)window.columns, (npy_intp)picture.C};
    PyObject *out = PyArray_SimpleNew(3, shape, NPY_UINT8);
    if (out == NULL)
        return NULL;
    vn_picture_resize(NULL, &picture, &window, (vn_order)order, &scratch);
    vn_status status = vn_arena_reserve(&scratch, scratch.used, &error);
    if (status != VN_OK) {
        Py_DECREF(out);
        return vnpy_raise(status, &error);
    }
    Py_BEGIN_ALLOW_THREADS
    vn_picture_resize(vnpy_data(out), &picture, &window, (vn_order)order, &scratch);
    Py_END_ALLOW_THREADS
    vn_arena_release(&scratch);
    return out;
}

typedef struct tensor_job {
    float *out;
    const vn_picture *pictures;
    const vn_window *windows;
    const uint8_t *mirror;
    const float *table;
    vn_order order;
    unsigned char *scratch;
    size_t share; /* bytes of scratch a worker has */
} tensor_job;

static void
tensor_body(void *arg, int64_t item, int worker)
{
    const tensor_job *j = arg;
    const vn_window *w = j->windows + item;
    vn_arena scratch = {j->scratch + (size_t)worker * j->share, 0, j->share};
    vn_picture_tensor(j->out + item * 3 * w->rows * w->columns, j->pictures + item, w, j->order, j->mirror[item],
                      j->table, &scratch);
}

/* Reads B pictures and windows of one size; the scratch of the hungriest. */
static int
bind_batch(PyObject *list, const int64_t *plan, int64_t B, vn_order order, vn_picture *pictures, vn_window *windows,
           size_t *share)
{
    *share = 0;
    for (int64_t b = 0; b < B; b++) {
        vn_arena count = {0};
        if (bind_picture(PyTuple_GET_ITEM(list, b), pictures + b) < 0 || read_window(plan + b * PLAN, windows + b) < 0)
            return -1;
        if (pictures[b].C != 1 && pictures[b].C != 3) {
            PyErr_SetString(PyExc_ValueError, "a picture of a batch must have 1 or 3 channels");
            return -1;
        }
        if (windows[b].rows != windows[0].rows || windows[b].columns != windows[0].columns) {
            PyErr_SetString(PyExc_ValueError, "all windows of a batch must have one size");
            return -1;
        }
        vn_picture_tensor(NULL, pictures + b, windows + b, order, 0, NULL, &count);
        *share = VN_MAX(*share, count.used);
    }
    return 0;
}

static PyObject *
tensor(PyObject *list, const int64_t *plan, const uint8_t *mirror, const float *table, int64_t B, vn_order order)
{
    vn_arena scratch = {0};
    vn_error error;
    PyObject *out = NULL;
    tensor_job job = {.mirror = mirror, .table = table, .order = order};
    vn_picture *pictures = PyMem_Calloc((size_t)B, sizeof *pictures);
    vn_window *windows = PyMem_Calloc((size_t)B, sizeof *windows);
    if (pictures == NULL || windows == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (bind_batch(list, plan, B, order, pictures, windows, &job.share) < 0)
        goto done;
    npy_intp shape[4] = {(npy_intp)B, 3, (npy_intp)windows[0].rows, (npy_intp)windows[0].columns};
    out = PyArray_SimpleNew(4, shape, NPY_FLOAT32);
    if (out == NULL)
        goto done;
    vn_status status = vn_arena_reserve(&scratch, job.share * (size_t)VN_MIN(B, (int64_t)VN_MAX_THREADS), &error);
    if (status != VN_OK) {
        Py_CLEAR(out);
        vnpy_raise(status, &error);
        goto done;
    }
    job.out = vnpy_data(out);
    job.pictures = pictures;
    job.windows = windows;
    job.scratch = scratch.base;
    Py_BEGIN_ALLOW_THREADS
    vn_parallel_for(B, tensor_body, &job);
    Py_END_ALLOW_THREADS
    vn_arena_release(&scratch);
done:
    PyMem_Free(pictures);
    PyMem_Free(windows);
    return out;
}

/* image_tensor(pictures: tuple of (H,W,C) u8, plans (B,6) i64, mirror (B) u8, table (3,256) f32, order)
 * -> (B,3,rows,columns) f32 */
static PyObject *
image_tensor(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    const int64_t *plan;
    const uint8_t *mirror;
    const float *table;
    int64_t order;
    (void)module;
    if (vnpy_count("image_tensor", n, 5) < 0)
        return NULL;
    if (!PyTuple_Check(args[0]) || PyTuple_GET_SIZE(args[0]) < 1) {
        PyErr_SetString(PyExc_TypeError, "pictures must be a tuple with at least one picture");
        return NULL;
    }
    if ((plan = vnpy_in(args[1], "plans", NPY_INT64, "B,6", &axes)) == NULL ||
        (mirror = vnpy_in(args[2], "mirror", NPY_UINT8, "B", &axes)) == NULL ||
        (table = vnpy_in(args[3], "table", NPY_FLOAT32, "3,256", &axes)) == NULL ||
        vnpy_int64(args[4], "order", 0, 2, &order) < 0)
        return NULL;
    if (vnpy_size(&axes, 'B') != PyTuple_GET_SIZE(args[0])) {
        PyErr_Format(PyExc_ValueError, "plans must have a row for each picture, got %lld rows and %zd pictures",
                     (long long)vnpy_size(&axes, 'B'), PyTuple_GET_SIZE(args[0]));
        return NULL;
    }
    return tensor(args[0], plan, mirror, table, vnpy_size(&axes, 'B'), (vn_order)order);
}

/* image_boxes(sizes (B,2) i64, scale (2) f64, ratio (2) f64, seed, rows (B) u64)
 * -> boxes (B,4) i64 (top, left, height, width), mirror (B) u8 */
static PyObject *
image_boxes(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    const int64_t *sizes;
    const double *scale, *ratio;
    const uint64_t *rows;
    uint64_t seed;
    (void)module;
    if (vnpy_count("image_boxes", n, 5) < 0 || (sizes = vnpy_in(args[0], "sizes", NPY_INT64, "B,2", &axes)) == NULL ||
        (scale = vnpy_in(args[1], "scale", NPY_FLOAT64, "2", &axes)) == NULL ||
        (ratio = vnpy_in(args[2], "ratio", NPY_FLOAT64, "2", &axes)) == NULL ||
        vnpy_uint64(args[3], "seed", &seed) < 0 || (rows = vnpy_in(args[4], "rows", NPY_UINT64, "B", &axes)) == NULL)
        return NULL;
    for (int64_t i = 0; i < 2 * vnpy_size(&axes, 'B'); i++)
        if (sizes[i] < 1 || sizes[i] > MAX_SIDE) {
            PyErr_Format(PyExc_ValueError, "sizes must be at least 1, got %lld", (long long)sizes[i]);
            return NULL;
        }
    PyObject *boxes = vnpy_out(NPY_INT64, "B,4", &axes), *mirror = vnpy_out(NPY_UINT8, "B", &axes);
    if (boxes == NULL || mirror == NULL) {
        Py_XDECREF(boxes);
        Py_XDECREF(mirror);
        return NULL;
    }
    int64_t *box = vnpy_data(boxes);
    uint8_t *flag = vnpy_data(mirror);
    for (int64_t b = 0; b < vnpy_size(&axes, 'B'); b++) {
        vn_box x = vn_box_draw(sizes[2 * b], sizes[2 * b + 1], scale, ratio, seed, rows[b]);
        box[4 * b] = x.top;
        box[4 * b + 1] = x.left;
        box[4 * b + 2] = x.height;
        box[4 * b + 3] = x.width;
        flag[b] = (uint8_t)vn_mirror_draw(seed, rows[b]);
    }
    return Py_BuildValue("NN", boxes, mirror);
}

PyMethodDef vnpy_image_methods[] = {
    {"image_resize", (PyCFunction)(void (*)(void))image_resize, METH_FASTCALL,
     "image_resize(picture, plan, order) -> (rows,columns,C) uint8"},
    {"image_tensor", (PyCFunction)(void (*)(void))image_tensor, METH_FASTCALL,
     "image_tensor(pictures, plans, mirror, table, order) -> (B,3,rows,columns) float32"},
    {"image_boxes", (PyCFunction)(void (*)(void))image_boxes, METH_FASTCALL,
     "image_boxes(sizes, scale, ratio, seed, rows) -> boxes (B,4) int64, mirror (B) uint8"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_image_exec(PyObject *module)
{
    (void)module;
    return 0;
}
