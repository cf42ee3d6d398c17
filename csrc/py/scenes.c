/* Scenes: pictures and masks of a batch of rows on all threads, captions, what a scene holds. edit -1 is the scene
 * itself; a row without an edit of that kind gives no picture (zeros), None for a caption and for its objects. */
#include "vnpy.h"

#include "../core/vn_parallel.h"
#include "../scenes/vn_scene.h"

/* 1 where the edit exists */
static int
make(vn_scene *scene, uint64_t seed, int64_t row, int edit)
{
    vn_scene_sample(scene, seed, (uint64_t)row);
    if (edit == VN_EDIT_NONE)
        return 1;
    vn_scene original = *scene;
    return vn_scene_edit(scene, &original, edit);
}

static int
parse(PyObject *const *args, uint64_t *seed, const int64_t **rows, int64_t *edit, vnpy_axes *axes)
{
    if (vnpy_uint64(args[0], "seed", seed) < 0 || (*rows = vnpy_in(args[1], "rows", NPY_INT64, "N", axes)) == NULL ||
        vnpy_int64(args[2], "edit", VN_EDIT_NONE, VN_EDITS - 1, edit) < 0)
        return -1;
    return 0;
}

typedef struct job {
    uint8_t *rgb, *mask, *made;
    const int64_t *rows;
    uint64_t seed;
    int64_t size;
    int edit;
} job;

static void
draw_row(void *arg, int64_t i, int worker)
{
    job *j = arg;
    vn_scene scene;
    int64_t area = j->size * j->size;
    (void)worker;
    j->made[i] = (uint8_t)make(&scene, j->seed, j->rows[i], j->edit);
    if (j->made[i])
        vn_scene_draw(j->rgb + i * area * 3, j->mask + i * area, &scene, j->size);
}

/* scene_draw(seed, rows, edit, size) -> rgb (N,S,S,3), mask (N,S,S), made (N), all uint8 */
static PyObject *
scene_draw(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    job j;
    int64_t edit;
    (void)module;
    if (vnpy_count("scene_draw", n, 4) < 0 || parse(args, &j.seed, &j.rows, &edit, &axes) < 0 ||
        vnpy_int64(args[3], "size", 1, VN_SCENE_MAX, &j.size) < 0)
        return NULL;
    axes.size['S' - 'A'] = j.size;
    j.edit = (int)edit;
    PyObject *rgb = vnpy_out(NPY_UINT8, "N,S,S,3", &axes), *mask = vnpy_out(NPY_UINT8, "N,S,S", &axes);
    PyObject *made = vnpy_out(NPY_UINT8, "N", &axes);
    if (rgb == NULL || mask == NULL || made == NULL) {
        Py_XDECREF(rgb);
        Py_XDECREF(mask);
        Py_XDECREF(made);
        return NULL;
    }
    j.rgb = vnpy_data(rgb);
    j.mask = vnpy_data(mask);
    j.made = vnpy_data(made);
    Py_BEGIN_ALLOW_THREADS
    vn_parallel_for(vnpy_size(&axes, 'N'), draw_row, &j);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("NNN", rgb, mask, made);
}

/* scene_say(seed, rows, edit) -> list of N captions or None */
static PyObject *
scene_say(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    uint64_t seed;
    const int64_t *rows;
    int64_t edit;
    (void)module;
    if (vnpy_count("scene_say", n, 3) < 0 || parse(args, &seed, &rows, &edit, &axes) < 0)
        return NULL;
    PyObject *list = PyList_New((Py_ssize_t)vnpy_size(&axes, 'N'));
    for (Py_ssize_t i = 0; list != NULL && i < PyList_GET_SIZE(list); i++) {
        vn_scene scene;
        char text[VN_SCENE_TEXT];
        PyObject *item = Py_NewRef(Py_None);
        if (make(&scene, seed, rows[i], (int)edit))
            Py_SETREF(item, PyUnicode_FromStringAndSize(text, (Py_ssize_t)vn_scene_say(text, &scene)));
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* scene_objects(seed, row, edit) -> list of (shape, colour, size, group, x, y, r), lengths as shares of the side */
static PyObject *
scene_objects(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    uint64_t seed;
    int64_t row, edit;
    vn_scene scene;
    (void)module;
    if (vnpy_count("scene_objects", n, 3) < 0 || vnpy_uint64(args[0], "seed", &seed) < 0 ||
        vnpy_int64(args[1], "row", 0, INT64_MAX, &row) < 0 ||
        vnpy_int64(args[2], "edit", VN_EDIT_NONE, VN_EDITS - 1, &edit) < 0)
        return NULL;
    if (!make(&scene, seed, row, (int)edit))
        Py_RETURN_NONE;
    PyObject *list = PyList_New(scene.objects);
    for (int i = 0; list != NULL && i < scene.objects; i++) {
        const vn_object *o = &scene.object[i];
        const vn_place p = vn_scene_place(&scene, o);
        const double side = VN_SCENE_SIDE;
        PyObject *item = Py_BuildValue("sssiddd", vn_scene_shape(o->shape), vn_scene_colour(o->colour),
                                       vn_scene_size(o->size), o->group, p.x / side, p.y / side, p.r / side);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* scene_edits() -> names of the edits in order */
static PyObject *
scene_edits(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    PyObject *names = PyTuple_New(VN_EDITS);
    for (int e = 0; names != NULL && e < VN_EDITS; e++) {
        PyObject *name = PyUnicode_FromString(vn_scene_edit_name(e));
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, e, name);
    }
    return names;
}

PyMethodDef vnpy_scenes_methods[] = {
    {"scene_draw", (PyCFunction)(void (*)(void))scene_draw, METH_FASTCALL,
     "scene_draw(seed, rows, edit, size) -> rgb, mask, made"},
    {"scene_say", (PyCFunction)(void (*)(void))scene_say, METH_FASTCALL, "scene_say(seed, rows, edit) -> captions"},
    {"scene_objects", (PyCFunction)(void (*)(void))scene_objects, METH_FASTCALL,
     "scene_objects(seed, row, edit) -> objects"},
    {"scene_edits", scene_edits, METH_NOARGS, "scene_edits() -> names"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_scenes_exec(PyObject *module)
{
    (void)module;
    return 0;
}
