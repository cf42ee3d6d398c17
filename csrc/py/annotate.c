/* Words of captions, tagged here or by what a tagger says, as the arrays that text negatives take. */
#include "spans.h"

#include <string.h>

_Static_assert(sizeof(vn_word) == 16 && sizeof(vn_tag) == 12, "arrays hold them as rows of int32");

static int
take_captions(PyObject *tuple, vn_span **out)
{
    if (vnpy_tuple(tuple, "captions") < 0)
        return -1;
    if ((*out = PyMem_Calloc((size_t)PyTuple_GET_SIZE(tuple) + 1, sizeof **out)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return vnpy_spans(tuple, "captions", INT32_MAX, *out);
}

/* tags (M,3) and begin (N+1), or two None: rows that cover all tags, each in order, with known classes */
static int
take_tags(PyObject *tags, PyObject *begin, vn_annotate_job *job)
{
    vnpy_axes axes = {0};
    if (tags == Py_None && begin == Py_None)
        return 0;
    if ((job->tag = vnpy_in(tags, "tags", NPY_INT32, "M,3", &axes)) == NULL ||
        (job->tag_begin = vnpy_in(begin, "begin", NPY_INT64, "B", &axes)) == NULL)
        return -1;
    int64_t M = vnpy_size(&axes, 'M');
    if (vnpy_size(&axes, 'B') != job->N + 1 || job->tag_begin[0] != 0 || job->tag_begin[job->N] != M) {
        PyErr_Format(PyExc_ValueError, "begin must have N+1 = %lld numbers from 0 to the %lld tags",
                     (long long)job->N + 1, (long long)M);
        return -1;
    }
    for (int64_t i = 0; i < job->N; i++) {
        if (job->tag_begin[i] > job->tag_begin[i + 1] || job->tag_begin[i + 1] > M) {
            PyErr_Format(PyExc_ValueError, "begin must rise, and begin[%lld] does not", (long long)i + 1);
            return -1;
        }
        for (int64_t k = job->tag_begin[i]; k < job->tag_begin[i + 1]; k++) {
            const vn_tag *t = &job->tag[k];
            int first = k == job->tag_begin[i];
            int known = t->kind == 0 || (t->kind > 0 && t->kind < 128 && strchr("NVARPDCMXUT", t->kind) != NULL);
            if (t->begin >= 0 && t->end >= t->begin && known && (first || t[-1].begin <= t->begin))
                continue;
            PyErr_Format(PyExc_ValueError, "tags[%lld] must be begin <= end in order of begin and 0 or a letter of "
                         "NVARPDCMXUT, got %d, %d, %d", (long long)k, t->begin, t->end, t->kind);
            return -1;
        }
    }
    return 0;
}

/* text_annotate(captions, tags, begin) -> words (T,4) int32, offsets (N+1) int64 */
static PyObject *
text_annotate(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    vn_annotate_job job = {0};
    vn_span *caption = NULL;
    PyObject *offsets = NULL, *words = NULL, *result = NULL;
    (void)module;
    if (vnpy_count("text_annotate", n, 3) < 0 || take_captions(args[0], &caption) < 0)
        goto done;
    job.N = PyTuple_GET_SIZE(args[0]);
    job.caption = caption;
    axes.size['B' - 'A'] = job.N + 1;
    if (take_tags(args[1], args[2], &job) < 0 || (offsets = vnpy_out(NPY_INT64, "B", &axes)) == NULL)
        goto done;
    job.offset = vnpy_data(offsets);
    Py_BEGIN_ALLOW_THREADS
    vn_annotate_count(&job);
    Py_END_ALLOW_THREADS
    axes.size['T' - 'A'] = job.offset[job.N];
    if ((words = vnpy_out(NPY_INT32, "T,4", &axes)) == NULL)
        goto done;
    job.word = vnpy_data(words);
    Py_BEGIN_ALLOW_THREADS
    vn_annotate_tag(&job);
    Py_END_ALLOW_THREADS
    result = PyTuple_Pack(2, words, offsets);
done:
    Py_XDECREF(offsets), Py_XDECREF(words);
    PyMem_Free(caption);
    return result;
}

/* text_lexicon_hash() -> int, which changes with the table */
static PyObject *
text_lexicon_hash(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    return PyLong_FromUnsignedLongLong(vn_lexicon_hash());
}

PyMethodDef vnpy_annotate_methods[] = {
    {"text_annotate", (PyCFunction)(void (*)(void))text_annotate, METH_FASTCALL,
     "text_annotate(captions, tags, begin) -> words (T,4) int32, offsets (N+1) int64"},
    {"text_lexicon_hash", text_lexicon_hash, METH_NOARGS, "text_lexicon_hash() -> int, which changes with the table"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_annotate_exec(PyObject *module)
{
    (void)module;
    return 0;
}
