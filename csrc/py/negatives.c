/* Text negatives of a batch, and what tests and displays want to see: words, the lexicon, the keywords. */
#include "vnpy.h"

#include "../negatives/text/vn_keywords.h"
#include "../vn_negative.h"

/* The strings of a tuple, borrowed as UTF-8. */
static int
spans(PyObject *tuple, const char *name, vn_span *out)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *s = PyTuple_GET_ITEM(tuple, i);
        Py_ssize_t bytes;
        if (!PyUnicode_Check(s)) {
            PyErr_Format(PyExc_TypeError, "%s[%zd] must be a str, got %s", name, i, Py_TYPE(s)->tp_name);
            return -1;
        }
        out[i].text = PyUnicode_AsUTF8AndSize(s, &bytes);
        if (out[i].text == NULL)
            return -1;
        if (bytes > INT32_MAX - VN_TEXT_GROWTH) {
            PyErr_Format(PyExc_ValueError, "%s[%zd] must be shorter than 2^31 bytes, got %zd", name, i, bytes);
            return -1;
        }
        out[i].bytes = bytes;
    }
    return 0;
}

static int
want_tuple(PyObject *object, const char *name)
{
    if (PyTuple_Check(object))
        return 0;
    PyErr_Format(PyExc_TypeError, "%s must be a tuple, got %s", name, Py_TYPE(object)->tp_name);
    return -1;
}

/* A tuple of N tuples of str, or None: all spans in a row and where each row begins. */
static int
spans_by_row(PyObject *rows, const char *name, int64_t N, vn_span **out, int64_t **begin)
{
    Py_ssize_t total = 0;
    if ((*begin = PyMem_Calloc((size_t)N + 1, sizeof **begin)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (rows == Py_None)
        return 0;
    if (want_tuple(rows, name) < 0)
        return -1;
    if (PyTuple_GET_SIZE(rows) != N) {
        PyErr_Format(PyExc_ValueError, "%s must have N = %lld rows, got %zd", name, (long long)N,
                     PyTuple_GET_SIZE(rows));
        return -1;
    }
    for (int64_t i = 0; i < N; i++) {
        if (want_tuple(PyTuple_GET_ITEM(rows, i), name) < 0)
            return -1;
        total += PyTuple_GET_SIZE(PyTuple_GET_ITEM(rows, i));
        (*begin)[i + 1] = total;
    }
    if ((*out = PyMem_Calloc((size_t)total + 1, sizeof **out)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int64_t i = 0; i < N; i++)
        if (spans(PyTuple_GET_ITEM(rows, i), name, *out + (*begin)[i]) < 0)
            return -1;
    return 0;
}

/* slots: a tuple of (line of the registry, parameter, parameter, number) */
static int
slots(PyObject *tuple, vn_text_slot *out)
{
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(tuple); k++) {
        PyObject *s = PyTuple_GET_ITEM(tuple, k);
        int64_t value[4];
        if (want_tuple(s, "a slot") < 0)
            return -1;
        if (PyTuple_GET_SIZE(s) != 4) {
            PyErr_Format(PyExc_ValueError, "a slot must have 4 numbers, got %zd", PyTuple_GET_SIZE(s));
            return -1;
        }
        for (int i = 0; i < 4; i++)
            if (vnpy_int64(PyTuple_GET_ITEM(s, i), "a slot's number", 0, 65535, &value[i]) < 0)
                return -1;
        out[k].maker = vn_text_listed((int)value[0], &out[k].stream);
        if (out[k].maker == NULL) {
            PyErr_Format(PyExc_ValueError, "there is no text negative %lld", (long long)value[0]);
            return -1;
        }
        out[k].param[0] = (int32_t)value[1];
        out[k].param[1] = (int32_t)value[2];
        out[k].number = (uint32_t)value[3];
    }
    return 0;
}

/* N lists of K strings: what was made, the caption itself where nothing was */
static PyObject *
texts(const vn_text_job *job, PyObject *captions)
{
    PyObject *all = PyList_New((Py_ssize_t)job->N);
    for (int64_t i = 0; all != NULL && i < job->N; i++) {
        PyObject *row = PyList_New((Py_ssize_t)job->K);
        if (row == NULL)
            Py_CLEAR(all);
        else
            PyList_SET_ITEM(all, (Py_ssize_t)i, row);
        for (int64_t k = 0; all != NULL && k < job->K; k++) {
            const char *text = job->text + job->at[i] + k * (job->caption[i].bytes + VN_TEXT_GROWTH);
            PyObject *s = job->reason[i * job->K + k] != VN_VALID
                              ? Py_NewRef(PyTuple_GET_ITEM(captions, (Py_ssize_t)i))
                              : PyUnicode_DecodeUTF8(text, (Py_ssize_t)job->bytes[i * job->K + k], "strict");
            if (s == NULL)
                Py_CLEAR(all);
            else
                PyList_SET_ITEM(row, (Py_ssize_t)k, s);
        }
    }
    return all;
}

/* Room for the text of all slots. */
static int
lay_out(vn_text_job *job, int64_t *at)
{
    int64_t total = 0;
    for (int64_t i = 0; i < job->N; i++) {
        at[i] = total;
        total += job->K * (job->caption[i].bytes + VN_TEXT_GROWTH);
    }
    job->at = at;
    job->text = PyMem_Malloc((size_t)total + 1);
    job->bytes = PyMem_Calloc((size_t)(job->N * job->K) + 1, sizeof *job->bytes);
    if (job->text != NULL && job->bytes != NULL)
        return 0;
    PyErr_NoMemory();
    return -1;
}

/* text_draw(captions, avoid, taken, rows, seed, slots) -> texts, reasons (N,K) uint8, kinds (N,K) uint8.
 * Tuples, because others could change lists while the GIL is released. */
static PyObject *
text_draw(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    vn_text_job job = {0};
    vn_span *caption = NULL, *avoid = NULL, *taken = NULL;
    int64_t *avoid_begin = NULL, *taken_begin = NULL, *at = NULL;
    vn_text_slot *slot = NULL;
    PyObject *reason = NULL, *kind = NULL, *text = NULL, *result = NULL;
    (void)module;
    if (vnpy_count("text_draw", n, 6) < 0 || want_tuple(args[0], "captions") < 0 || want_tuple(args[5], "slots") < 0 ||
        (job.row = vnpy_in(args[3], "rows", NPY_UINT64, "N", &axes)) == NULL ||
        vnpy_uint64(args[4], "seed", &job.seed) < 0)
        return NULL;
    job.N = PyTuple_GET_SIZE(args[0]);
    job.K = PyTuple_GET_SIZE(args[5]);
    if (vnpy_size(&axes, 'N') != job.N)
        return PyErr_Format(PyExc_ValueError, "rows must have shape (N) with N = %lld captions, got (%lld)",
                            (long long)job.N, (long long)vnpy_size(&axes, 'N'));
    axes.size['K' - 'A'] = job.K;
    caption = PyMem_Calloc((size_t)job.N + 1, sizeof *caption);
    slot = PyMem_Calloc((size_t)job.K + 1, sizeof *slot);
    at = PyMem_Calloc((size_t)job.N + 1, sizeof *at);
    if (caption == NULL || slot == NULL || at == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    job.caption = caption;
    if (spans(args[0], "captions", caption) < 0 || spans_by_row(args[1], "avoid", job.N, &avoid, &avoid_begin) < 0 ||
        spans_by_row(args[2], "taken", job.N, &taken, &taken_begin) < 0 || slots(args[5], slot) < 0 ||
        lay_out(&job, at) < 0 || (reason = vnpy_out(NPY_UINT8, "N,K", &axes)) == NULL ||
        (kind = vnpy_out(NPY_UINT8, "N,K", &axes)) == NULL)
        goto done;
    job.avoid = avoid, job.avoid_begin = avoid_begin;
    job.taken = taken, job.taken_begin = taken_begin;
    job.slot = slot;
    job.reason = vnpy_data(reason), job.kind = vnpy_data(kind);
    Py_BEGIN_ALLOW_THREADS
    vn_text_draw(&job);
    Py_END_ALLOW_THREADS
    if ((text = texts(&job, args[0])) != NULL)
        result = PyTuple_Pack(3, text, reason, kind);
done:
    Py_XDECREF(text), Py_XDECREF(reason), Py_XDECREF(kind);
    PyMem_Free(caption), PyMem_Free(avoid), PyMem_Free(taken), PyMem_Free(avoid_begin), PyMem_Free(taken_begin);
    PyMem_Free(slot), PyMem_Free(at), PyMem_Free(job.text), PyMem_Free(job.bytes);
    return result;
}

static int
append(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

/* text_words(caption) -> [(word, class, form)] */
static PyObject *
text_words(PyObject *module, PyObject *caption)
{
    vn_word word[VN_MAX_WORDS];
    vn_span text;
    (void)module;
    PyObject *one = PyTuple_Pack(1, caption);
    int failed = one == NULL || spans(one, "caption", &text) < 0;
    Py_XDECREF(one);
    PyObject *list = failed ? NULL : PyList_New(0);
    if (list == NULL)
        return NULL;
    int words = vn_words_tag(word, text);
    for (int i = 0; i < words; i++)
        if (append(list, Py_BuildValue("s#Ci", text.text + word[i].begin, (Py_ssize_t)(word[i].end - word[i].begin),
                                       word[i].kind, word[i].form)) < 0)
            Py_CLEAR(list);
    return list;
}

/* text_listed() -> [(name, doc, kinds, stream)], the generators of the registry */
static PyObject *
text_listed(PyObject *module, PyObject *none)
{
    const vn_text_maker *maker;
    uint32_t stream;
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && (maker = vn_text_listed(i, &stream)) != NULL; i++) {
        PyObject *kinds = PyList_New(0);
        for (int k = 0; kinds != NULL && maker->kinds[k] != NULL; k++)
            if (append(kinds, PyUnicode_FromString(maker->kinds[k])) < 0)
                Py_CLEAR(kinds);
        if (kinds == NULL || append(list, Py_BuildValue("ssNI", maker->name, maker->doc, kinds, stream)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* text_lexicon() -> [(text, classes, lemma, form)] */
static PyObject *
text_lexicon(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list != NULL && i < vn_lexicon_size(); i++) {
        const vn_entry *e = vn_lexicon_entry(i);
        if (append(list, Py_BuildValue("sssi", e->text, e->kinds, e->lemma, e->form)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* text_keywords() -> [(text, concept, group, sense, form, target)] */
static PyObject *
text_keywords(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list != NULL && i < vn_keywords_size(); i++) {
        const vn_keyword *k = vn_keywords_entry(i);
        if (append(list, Py_BuildValue("sissii", k->text, k->concept, k->group_name, k->sense, k->form, k->target)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

PyMethodDef vnpy_negatives_methods[] = {
    {"text_draw", (PyCFunction)(void (*)(void))text_draw, METH_FASTCALL,
     "text_draw(captions, avoid, taken, rows, seed, slots) -> texts, reasons, kinds"},
    {"text_words", text_words, METH_O, "text_words(caption) -> [(word, class, form)]"},
    {"text_listed", text_listed, METH_NOARGS, "text_listed() -> [(name, doc, kinds, stream)]"},
    {"text_lexicon", text_lexicon, METH_NOARGS, "text_lexicon() -> [(text, classes, lemma, form)]"},
    {"text_keywords", text_keywords, METH_NOARGS, "text_keywords() -> [(text, concept, group, sense, form, target)]"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_negatives_exec(PyObject *module)
{
    (void)module;
    return 0;
}
