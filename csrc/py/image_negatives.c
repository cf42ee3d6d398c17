/* Image negatives of a batch, and the list of edits. */
#include "vnpy.h"

#include "../core/vn_parallel.h"
#include "photos.h"

/* (line of the registry, number, feather, least, most, change, variation, parameters) */
static int
bind_slot(PyObject *object, vn_image_slot *out)
{
    enum { PLAIN = 7 };
    static const int64_t high[PLAIN] = {65535, 65535, 32, 1000000, 1000000, 65280, 1000000};
    int64_t value[PLAIN + VN_IMAGE_PARAMS];
    if (vnpy_want_tuple(object, "a slot", PLAIN + VN_IMAGE_PARAMS) < 0)
        return -1;
    for (int i = 0; i < PLAIN + VN_IMAGE_PARAMS; i++)
        if (vnpy_int64(PyTuple_GET_ITEM(object, i), "a slot's number", i < PLAIN ? 0 : INT32_MIN,
                       i < PLAIN ? high[i] : INT32_MAX, &value[i]) < 0)
            return -1;
    if ((out->maker = vn_image_listed((int)value[0], &out->stream)) == NULL) {
        PyErr_Format(PyExc_ValueError, "there is no image negative %lld", (long long)value[0]);
        return -1;
    }
    out->number = (uint32_t)value[1];
    out->feather = (int32_t)value[2];
    out->least = (int32_t)value[3];
    out->most = (int32_t)value[4];
    out->change = (int32_t)value[5];
    out->variation = (int32_t)value[6];
    for (int i = 0; i < VN_IMAGE_PARAMS; i++) {
        const int32_t *range = out->maker->range[i];
        if (value[PLAIN + i] < range[0] || value[PLAIN + i] > range[1]) {
            PyErr_Format(PyExc_ValueError, "parameter %d of %s must be in [%d, %d], got %lld", i, out->maker->name,
                         (int)range[0], (int)range[1], (long long)value[PLAIN + i]);
            return -1;
        }
        out->param[i] = (int32_t)value[PLAIN + i];
    }
    return 0;
}

/* Two lists of N lists of K arrays, (H,W,3) and (H,W), which the variants are painted on. */
static int
make_canvases(vn_image_job *job, PyObject *images, PyObject *regions)
{
    for (int64_t i = 0; i < job->N; i++) {
        npy_intp shape[3] = {(npy_intp)job->photo[i].H, (npy_intp)job->photo[i].W, 3};
        PyObject *rows[2] = {PyList_New((Py_ssize_t)job->K), PyList_New((Py_ssize_t)job->K)};
        PyList_SET_ITEM(images, (Py_ssize_t)i, rows[0]);
        PyList_SET_ITEM(regions, (Py_ssize_t)i, rows[1]);
        if (rows[0] == NULL || rows[1] == NULL)
            return -1;
        for (int64_t k = 0; k < job->K; k++) {
            PyObject *rgb = PyArray_SimpleNew(3, shape, NPY_UINT8), *region = PyArray_ZEROS(2, shape, NPY_UINT8, 0);
            PyList_SET_ITEM(rows[0], (Py_ssize_t)k, rgb);
            PyList_SET_ITEM(rows[1], (Py_ssize_t)k, region);
            if (rgb == NULL || region == NULL)
                return -1;
            vn_canvas *c = &job->variant[i * job->K + k].canvas;
            *c = (vn_canvas){vnpy_data(rgb), vnpy_data(region), shape[0], shape[1], {0, 0, 0, 0}};
        }
    }
    return 0;
}

/* The picture itself where nothing was made. */
static void
put_back(const vn_image_job *job, PyObject *pictures, PyObject *images)
{
    for (int64_t i = 0; i < job->N; i++)
        for (int64_t k = 0; k < job->K; k++)
            if (job->reason[i * job->K + k] != VN_IMAGE_VALID)
                PyList_SetItem(PyList_GET_ITEM(images, (Py_ssize_t)i), (Py_ssize_t)k,
                               Py_NewRef(PyTuple_GET_ITEM(pictures, (Py_ssize_t)i)));
}

static vn_status
draw(vn_image_job *job, vn_error *error)
{
    vn_arena scratch = {0};
    for (int64_t i = 0; i < job->N; i++)
        job->share = VN_MAX(job->share, vn_image_scratch(&job->photo[i], &job->other[i]));
    int64_t workers = VN_MIN(job->N * job->K, (int64_t)VN_MAX_THREADS);
    VN_TRY(vn_arena_reserve(&scratch, job->share * (size_t)workers, error));
    job->scratch = scratch.base;
    vn_image_draw(job);
    vn_arena_release(&scratch);
    return VN_OK;
}

static PyObject *
notes_array(const vn_image_job *job)
{
    npy_intp shape[3] = {(npy_intp)job->N, (npy_intp)job->K, VN_IMAGE_NOTES};
    PyObject *notes = PyArray_SimpleNew(3, shape, NPY_INT32);
    for (int64_t i = 0; notes != NULL && i < job->N * job->K; i++)
        memcpy((int32_t *)vnpy_data(notes) + i * VN_IMAGE_NOTES, job->variant[i].note, sizeof job->variant[i].note);
    return notes;
}

/* image_draw(pictures, objects, others, other_objects, rows, seed, slots)
 * -> images, regions, reasons (N,K) u8, kinds (N,K) u8, notes (N,K,12) i32 */
static PyObject *
image_draw(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    vn_image_job job = {0};
    vn_photo *photo = NULL, *other = NULL;
    vn_image_slot *slot = NULL;
    vn_error error;
    vn_status status;
    PyObject *images = NULL, *regions = NULL, *reason = NULL, *kind = NULL, *notes = NULL, *result = NULL;
    (void)module;
    if (vnpy_count("image_draw", n, 7) < 0 || (job.row = vnpy_in(args[4], "rows", NPY_UINT64, "N", &axes)) == NULL ||
        vnpy_uint64(args[5], "seed", &job.seed) < 0)
        return NULL;
    job.N = vnpy_size(&axes, 'N');
    if (!PyTuple_Check(args[6]))
        return PyErr_Format(PyExc_TypeError, "slots must be a tuple, got %s", Py_TYPE(args[6])->tp_name);
    job.K = axes.size['K' - 'A'] = PyTuple_GET_SIZE(args[6]);
    if ((photo = vnpy_photos(args[0], args[1], job.N, 0)) == NULL ||
        (other = vnpy_photos(args[2], args[3], job.N, 1)) == NULL)
        goto done;
    slot = PyMem_Calloc((size_t)job.K + 1, sizeof *slot);
    job.variant = PyMem_Calloc((size_t)(job.N * job.K) + 1, sizeof *job.variant);
    job.draws = PyMem_Calloc((size_t)(job.N * job.K) + 1, 1);
    job.rng = PyMem_Calloc((size_t)(job.N * job.K) + 1, sizeof *job.rng);
    if (slot == NULL || job.variant == NULL || job.draws == NULL || job.rng == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t k = 0; k < job.K; k++)
        if (bind_slot(PyTuple_GET_ITEM(args[6], k), &slot[k]) < 0)
            goto done;
    job.photo = photo, job.other = other, job.slot = slot;
    if ((images = PyList_New((Py_ssize_t)job.N)) == NULL || (regions = PyList_New((Py_ssize_t)job.N)) == NULL ||
        make_canvases(&job, images, regions) < 0 || (reason = vnpy_out(NPY_UINT8, "N,K", &axes)) == NULL ||
        (kind = vnpy_out(NPY_UINT8, "N,K", &axes)) == NULL)
        goto done;
    job.reason = vnpy_data(reason);
    Py_BEGIN_ALLOW_THREADS
    status = draw(&job, &error);
    Py_END_ALLOW_THREADS
    if (status != VN_OK) {
        vnpy_raise(status, &error);
        goto done;
    }
    for (int64_t i = 0; i < job.N * job.K; i++)
        ((uint8_t *)vnpy_data(kind))[i] = (uint8_t)job.variant[i].kind;
    put_back(&job, args[0], images);
    if ((notes = notes_array(&job)) != NULL)
        result = PyTuple_Pack(5, images, regions, reason, kind, notes);
done:
    Py_XDECREF(images), Py_XDECREF(regions), Py_XDECREF(reason), Py_XDECREF(kind), Py_XDECREF(notes);
    vnpy_photos_release(photo, job.N), vnpy_photos_release(other, job.N);
    PyMem_Free(slot), PyMem_Free(job.variant), PyMem_Free(job.draws), PyMem_Free(job.rng);
    return result;
}

/* A list of strings that ends with NULL. */
static PyObject *
strings(const char *const *from)
{
    PyObject *list = PyList_New(0);
    for (; list != NULL && *from != NULL; from++) {
        PyObject *s = PyUnicode_FromString(*from);
        if (s == NULL || PyList_Append(list, s) < 0)
            Py_CLEAR(list);
        Py_XDECREF(s);
    }
    return list;
}

/* image_listed() -> [(name, doc, kinds, notes, stream)], the edits of the registry */
static PyObject *
image_listed(PyObject *module, PyObject *none)
{
    const vn_image_maker *maker;
    uint32_t stream;
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && (maker = vn_image_listed(i, &stream)) != NULL; i++) {
        PyObject *line = Py_BuildValue("ssNNI", maker->name, maker->doc, strings(maker->kinds), strings(maker->notes),
                                       stream);
        if (line == NULL || PyList_Append(list, line) < 0)
            Py_CLEAR(list);
        Py_XDECREF(line);
    }
    return list;
}

PyMethodDef vnpy_image_negatives_methods[] = {
    {"image_draw", (PyCFunction)(void (*)(void))image_draw, METH_FASTCALL,
     "image_draw(pictures, objects, others, other_objects, rows, seed, slots) -> images, regions, reasons, kinds, "
     "notes"},
    {"image_listed", image_listed, METH_NOARGS, "image_listed() -> [(name, doc, kinds, notes, stream)]"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_image_negatives_exec(PyObject *module)
{
    (void)module;
    return 0;
}
