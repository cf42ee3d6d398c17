/* Text negatives of a batch. */
#include "spans.h"

#include "../vn_negative.h"

enum { LONGEST = INT32_MAX - VN_TEXT_GROWTH }; /* bytes of a string */

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
    if (vnpy_tuple(rows, name) < 0)
        return -1;
    if (PyTuple_GET_SIZE(rows) != N) {
        PyErr_Format(PyExc_ValueError, "%s must have N = %lld rows, got %zd", name, (long long)N,
                     PyTuple_GET_SIZE(rows));
        return -1;
    }
    for (int64_t i = 0; i < N; i++) {
        if (vnpy_tuple(PyTuple_GET_ITEM(rows, i), name) < 0)
            return -1;
        total += PyTuple_GET_SIZE(PyTuple_GET_ITEM(rows, i));
        (*begin)[i + 1] = total;
    }
    if ((*out = PyMem_Calloc((size_t)total + 1, sizeof **out)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int64_t i = 0; i < N; i++)
        if (vnpy_spans(PyTuple_GET_ITEM(rows, i), name, LONGEST, *out + (*begin)[i]) < 0)
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
        if (vnpy_tuple(s, "a slot") < 0)
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

/* Words handed in: whether they lie inside their captions, in order, and are of a known class. */
static int
words_fit(const vn_text_job *job)
{
    for (int64_t i = 0; i < job->N; i++) {
        int64_t first = job->word_begin[i], end = job->word_begin[i + 1], from = 0;
        const char *text = job->caption[i].text;
        int64_t bytes = job->caption[i].bytes;
        if (end - first < 0 || end - first > VN_MAX_WORDS || first < 0) {
            PyErr_Format(PyExc_ValueError, "offsets[%lld] must be followed by at most %d more, got %lld and then %lld",
                         (long long)i, VN_MAX_WORDS, (long long)first, (long long)end);
            return -1;
        }
        for (int64_t w = first; w < end; w++) {
            const vn_word *word = &job->word[w];
            int inside = word->begin >= from && word->end > word->begin && word->end <= bytes &&
                         (text[word->begin] & 0xC0) != 0x80 &&
                         (word->end == bytes || (text[word->end] & 0xC0) != 0x80);
            if (!inside || !vn_word_is(word->kind, "NVARPDCMXUT") || word->form < 0 || word->form > VN_MUTUAL ||
                word->lemma < -1 || word->lemma >= vn_lexicon_size()) {
                PyErr_Format(PyExc_ValueError, "words[%lld] doesn't fit captions[%lld]; annotate these captions again",
                             (long long)w, (long long)i);
                return -1;
            }
            from = word->end;
        }
    }
    return 0;
}

_Static_assert(sizeof(vn_word) == 4 * sizeof(int32_t), "words are four integers");

/* words (T,4) int32, the memory of T vn_word, and offsets (N+1) int64; or both None */
static int
annotations(vn_text_job *job, PyObject *words, PyObject *offsets)
{
    vnpy_axes axes = {0};
    int ok = 1;
    job->word = vnpy_in_or_none(words, "words", NPY_INT32, "T,4", &axes, &ok);
    if (ok)
        job->word_begin = vnpy_in_or_none(offsets, "offsets", NPY_INT64, "O", &axes, &ok);
    if (!ok)
        return -1;
    if ((words == Py_None) != (offsets == Py_None)) {
        PyErr_SetString(PyExc_TypeError, "words and offsets must be given together or both be None");
        return -1;
    }
    if (words == Py_None)
        return 0;
    if (vnpy_size(&axes, 'O') != job->N + 1 || job->word_begin[0] != 0 ||
        job->word_begin[job->N] != vnpy_size(&axes, 'T')) {
        PyErr_Format(PyExc_ValueError, "offsets must hold N + 1 = %lld numbers from 0 to T = %lld",
                     (long long)(job->N + 1), (long long)vnpy_size(&axes, 'T'));
        return -1;
    }
    return words_fit(job);
}

/* The arrays that come back. */
typedef struct results {
    PyObject *reason, *kind, *place, *places, *by;
} results;

static int
make_results(results *out, vn_text_job *job, const vnpy_axes *axes)
{
    if ((out->reason = vnpy_out(NPY_UINT8, "N,K", axes)) == NULL ||
        (out->kind = vnpy_out(NPY_UINT8, "N,K", axes)) == NULL ||
        (out->place = vnpy_out(NPY_INT32, "N,K,8,4", axes)) == NULL ||
        (out->places = vnpy_out(NPY_UINT8, "N,K", axes)) == NULL ||
        (out->by = vnpy_out(NPY_UINT8, "N,K", axes)) == NULL)
        return -1;
    job->reason = vnpy_data(out->reason), job->kind = vnpy_data(out->kind);
    job->place = vnpy_data(out->place), job->places = vnpy_data(out->places);
    job->by = vnpy_data(out->by);
    return 0;
}

/* The order in which the generators of a slot are tried, (N,K,P) uint8 or None: K slots of one. */
static int
alternatives(vn_text_job *job, PyObject *order, int64_t slots, vnpy_axes *axes)
{
    int ok = 1;
    job->K = slots, job->P = 1;
    axes->size['K' - 'A'] = slots;
    if (order == Py_None)
        return 0;
    axes->size['K' - 'A'] = 0;
    job->order = vnpy_in_or_none(order, "order", NPY_UINT8, "N,K,P", axes, &ok);
    if (!ok)
        return -1;
    job->K = vnpy_size(axes, 'K'), job->P = vnpy_size(axes, 'P');
    if (job->P < 1 || job->K * job->P != slots) {
        PyErr_Format(PyExc_ValueError, "slots must hold K * P = %lld, got %lld", (long long)(job->K * job->P),
                     (long long)slots);
        return -1;
    }
    for (int64_t i = 0; i < job->N * slots; i++)
        if (job->order[i] >= job->P) {
            PyErr_Format(PyExc_ValueError, "order must be below P = %lld, got %d", (long long)job->P, job->order[i]);
            return -1;
        }
    return 0;
}

/* text_draw(captions, avoid, taken, rows, seed, slots, words, offsets, order) -> texts, reasons (N,K) uint8, kinds
 * (N,K) uint8, places (N,K,8,4) int32, how many of them (N,K) uint8, which generator of the slot (N,K) uint8. Tuples,
 * because others could change lists while the GIL is released. */
static PyObject *
text_draw(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    vn_text_job job = {0};
    vn_span *caption = NULL, *avoid = NULL, *taken = NULL;
    int64_t *avoid_begin = NULL, *taken_begin = NULL, *at = NULL;
    vn_text_slot *slot = NULL;
    results out = {NULL, NULL, NULL, NULL, NULL};
    PyObject *text = NULL, *result = NULL;
    (void)module;
    if (vnpy_count("text_draw", n, 9) < 0 || vnpy_tuple(args[0], "captions") < 0 || vnpy_tuple(args[5], "slots") < 0 ||
        (job.row = vnpy_in(args[3], "rows", NPY_UINT64, "N", &axes)) == NULL ||
        vnpy_uint64(args[4], "seed", &job.seed) < 0)
        return NULL;
    job.N = PyTuple_GET_SIZE(args[0]);
    if (vnpy_size(&axes, 'N') != job.N)
        return PyErr_Format(PyExc_ValueError, "rows must have shape (N) with N = %lld captions, got (%lld)",
                            (long long)job.N, (long long)vnpy_size(&axes, 'N'));
    if (alternatives(&job, args[8], PyTuple_GET_SIZE(args[5]), &axes) < 0)
        return NULL;
    caption = PyMem_Calloc((size_t)job.N + 1, sizeof *caption);
    slot = PyMem_Calloc((size_t)(job.K * job.P) + 1, sizeof *slot);
    at = PyMem_Calloc((size_t)job.N + 1, sizeof *at);
    if (caption == NULL || slot == NULL || at == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    job.caption = caption;
    if (vnpy_spans(args[0], "captions", LONGEST, caption) < 0 ||
        spans_by_row(args[1], "avoid", job.N, &avoid, &avoid_begin) < 0 ||
        spans_by_row(args[2], "taken", job.N, &taken, &taken_begin) < 0 || slots(args[5], slot) < 0 ||
        annotations(&job, args[6], args[7]) < 0 || lay_out(&job, at) < 0 || make_results(&out, &job, &axes) < 0)
        goto done;
    job.avoid = avoid, job.avoid_begin = avoid_begin;
    job.taken = taken, job.taken_begin = taken_begin;
    job.slot = slot;
    Py_BEGIN_ALLOW_THREADS
    vn_text_draw(&job);
    Py_END_ALLOW_THREADS
    if ((text = texts(&job, args[0])) != NULL)
        result = PyTuple_Pack(6, text, out.reason, out.kind, out.place, out.places, out.by);
done:
    Py_XDECREF(text), Py_XDECREF(out.reason), Py_XDECREF(out.kind), Py_XDECREF(out.place), Py_XDECREF(out.places);
    Py_XDECREF(out.by);
    PyMem_Free(caption), PyMem_Free(avoid), PyMem_Free(taken), PyMem_Free(avoid_begin), PyMem_Free(taken_begin);
    PyMem_Free(slot), PyMem_Free(at), PyMem_Free(job.text), PyMem_Free(job.bytes);
    return result;
}

PyMethodDef vnpy_negatives_methods[] = {
    {"text_draw", (PyCFunction)(void (*)(void))text_draw, METH_FASTCALL,
     "text_draw(captions, avoid, taken, rows, seed, slots, words, offsets, order) -> texts, reasons, kinds, places, "
     "counts, which generator"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_negatives_exec(PyObject *module)
{
    (void)module;
    return 0;
}
