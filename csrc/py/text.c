/* The type _core.Tokenizer: a vocabulary's tables, and captions to ids. */
#include "vnpy.h"

#include <string.h>

#include "../text/vn_bpe.h"

typedef struct {
    PyObject_HEAD
    vn_bpe *bpe;
    int32_t end;
    int raw; /* ASCII without & goes to the core as it is; the rest is cleaned in Python first */
} tokenizer;

/* The texts of a call: a list that keeps their bytes alive, and what the core reads and writes. */
typedef struct {
    PyObject *held;
    vn_bpe_text *text;
    void *scratch;
    Py_ssize_t N;
} batch;

enum { RAW_LONGEST = 1000000 }; /* ftfy cuts longer texts, perhaps inside a terminal escape */

static PyObject *
tokenizer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *symbol, *merge;
    vn_bpe_plan plan = {0};
    vn_error error;
    vnpy_axes axes = {0};
    long long vocab;
    static char *names[] = {"symbol", "merge", "vocab", "start", "end", "unknown", "start_text", "end_text", "fold",
                            NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOLiiizzp:Tokenizer", names, &symbol, &merge, &vocab, &plan.start,
                                     &plan.end, &plan.unknown, &plan.start_text, &plan.end_text, &plan.fold))
        return NULL;
    plan.symbol = vnpy_in(symbol, "symbol", NPY_INT32, "512", &axes);
    plan.merge = plan.symbol == NULL ? NULL : vnpy_in(merge, "merge", NPY_INT32, "M,3", &axes);
    if (plan.merge == NULL)
        return NULL;
    plan.M = vnpy_size(&axes, 'M');
    plan.vocab = vocab;
    tokenizer *self = (tokenizer *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->end = plan.end;
    self->raw = plan.fold;
    vn_status status = vn_bpe_init(&self->bpe, &plan, &error);
    if (status != VN_OK) {
        Py_DECREF(self);
        return vnpy_raise(status, &error);
    }
    return (PyObject *)self;
}

static void
tokenizer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    vn_bpe_free(((tokenizer *)self)->bpe);
    type->tp_free(self);
    Py_DECREF(type);
}

static void
batch_free(batch *b)
{
    Py_XDECREF(b->held);
    PyMem_Free(b->text);
    PyMem_RawFree(b->scratch);
}

/* Text n of the list as bytes: its own when it is plain ASCII, else what clean(text) returns. */
static int
batch_take(batch *b, Py_ssize_t n, int raw, PyObject *clean)
{
    PyObject *object = PyList_GET_ITEM(b->held, n);
    vn_bpe_text *t = &b->text[n];
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "text %zd must be a str, got %s%s", n, Py_TYPE(object)->tp_name,
                     PyBytes_Check(object) ? "; decode it first: text.decode('utf-8')" : "");
        return -1;
    }
    if (PyUnicode_GET_LENGTH(object) > VN_BPE_LONGEST / 4) {
        PyErr_Format(PyExc_ValueError, "text %zd has %zd characters, at most %d are possible", n,
                     PyUnicode_GET_LENGTH(object), VN_BPE_LONGEST / 4);
        return -1;
    }
    if (raw && PyUnicode_IS_ASCII(object) && PyUnicode_GET_LENGTH(object) <= RAW_LONGEST) {
        t->text = PyUnicode_1BYTE_DATA(object);
        t->bytes = PyUnicode_GET_LENGTH(object);
        t->raw = 1;
        if (memchr(t->text, '&', (size_t)t->bytes) == NULL)
            return 0;
    }
    PyObject *bytes = PyObject_CallFunctionObjArgs(clean, object, NULL);
    if (bytes == NULL || !PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) > VN_BPE_LONGEST) {
        if (bytes != NULL)
            PyErr_Format(PyExc_ValueError, "clean must turn text %zd into at most %d bytes", n, VN_BPE_LONGEST);
        Py_XDECREF(bytes);
        return -1;
    }
    t->text = (const unsigned char *)PyBytes_AS_STRING(bytes);
    t->bytes = PyBytes_GET_SIZE(bytes);
    t->raw = 0;
    return PyList_SetItem(b->held, n, bytes);
}

/* Arguments (texts, context, clean); an error leaves nothing behind. */
static int
batch_make(batch *b, const tokenizer *self, const char *name, PyObject *const *args, Py_ssize_t count,
           int64_t *context)
{
    memset(b, 0, sizeof *b);
    if (vnpy_count(name, count, 3) < 0 || vnpy_int64(args[1], "context", 2, 1 << 30, context) < 0)
        return -1;
    b->held = PySequence_List(args[0]); /* a list of our own: nobody else changes it while the GIL is released */
    if (b->held == NULL)
        return -1;
    b->N = PyList_GET_SIZE(b->held);
    b->text = PyMem_Calloc((size_t)b->N + 1, sizeof *b->text);
    for (Py_ssize_t n = 0; b->text != NULL && n < b->N; n++)
        if (batch_take(b, n, self->raw, args[2]) < 0) {
            batch_free(b);
            return -1;
        }
    b->scratch = b->text == NULL ? NULL : PyMem_RawMalloc(vn_bpe_scratch(b->text, b->N) + 1);
    if (b->scratch == NULL) {
        batch_free(b);
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int64_t
count_special(const batch *b)
{
    int64_t n = 0;
    for (Py_ssize_t i = 0; i < b->N; i++)
        n += b->text[i].special > 0;
    return n;
}

/* rows(texts, context, clean) -> ids (N,context) int32, number of texts that spell a special token */
static PyObject *
tokenizer_rows(PyObject *object, PyObject *const *args, Py_ssize_t n)
{
    const tokenizer *self = (const tokenizer *)object;
    batch b;
    int64_t context;
    vnpy_axes axes = {0};
    if (batch_make(&b, self, "rows", args, n, &context) < 0)
        return NULL;
    axes.size['N' - 'A'] = b.N;
    axes.size['L' - 'A'] = context;
    PyObject *ids = vnpy_out(NPY_INT32, "N,L", &axes);
    if (ids != NULL) {
        int32_t *data = vnpy_data(ids);
        for (Py_ssize_t i = 0; i < b.N; i++)
            b.text[i].row = i * context;
        Py_BEGIN_ALLOW_THREADS
        vn_bpe_encode(self->bpe, b.text, b.N, context, data, b.scratch);
        Py_END_ALLOW_THREADS
    }
    int64_t special = count_special(&b);
    batch_free(&b);
    return ids == NULL ? NULL : Py_BuildValue("NL", ids, (long long)special);
}

/* Cuts each row after its first end token, where the text tower pools; returns the sum of lengths. */
static int64_t
cut_rows(const batch *b, const int32_t *ids, int32_t end)
{
    int64_t total = 0;
    for (Py_ssize_t i = 0; i < b->N; i++) {
        const int32_t *row = ids + b->text[i].row;
        int32_t n = 0;
        while (row[n++] != end) {
        }
        b->text[i].length = n;
        total += n;
    }
    return total;
}

/* Packed arrays of rows that lie apart. */
static PyObject *
pack_rows(const batch *b, const int32_t *ids, int64_t total)
{
    vnpy_axes axes = {0};
    axes.size['T' - 'A'] = total;
    axes.size['O' - 'A'] = b->N + 1;
    if (total > INT32_MAX)
        return PyErr_Format(PyExc_ValueError, "the texts have %lld ids, at most %d fit; hand in fewer at a time",
                            (long long)total, INT32_MAX);
    PyObject *packed = vnpy_out(NPY_INT32, "T", &axes), *offsets = vnpy_out(NPY_INT32, "O", &axes);
    if (packed == NULL || offsets == NULL) {
        Py_XDECREF(packed);
        Py_XDECREF(offsets);
        return NULL;
    }
    int32_t *out = vnpy_data(packed), *offset = vnpy_data(offsets);
    for (Py_ssize_t i = 0; i < b->N; i++) {
        memcpy(out + offset[i], ids + b->text[i].row, (size_t)b->text[i].length * sizeof *out);
        offset[i + 1] = offset[i] + b->text[i].length;
    }
    return Py_BuildValue("NNL", packed, offsets, (long long)count_special(b));
}

/* pack(texts, context, clean) -> ids (T) int32, offsets (N+1) int32, texts that spell a special token */
static PyObject *
tokenizer_pack(PyObject *object, PyObject *const *args, Py_ssize_t n)
{
    const tokenizer *self = (const tokenizer *)object;
    batch b;
    int64_t context, room = 0, total;
    if (batch_make(&b, self, "pack", args, n, &context) < 0)
        return NULL;
    for (Py_ssize_t i = 0; i < b.N; i++) {
        b.text[i].row = room;
        room += b.text[i].bytes + 2 < context ? b.text[i].bytes + 2 : context;
    }
    int32_t *ids = PyMem_RawMalloc((size_t)room * sizeof *ids + 1);
    PyObject *result = NULL;
    if (ids != NULL) {
        Py_BEGIN_ALLOW_THREADS
        vn_bpe_encode(self->bpe, b.text, b.N, context, ids, b.scratch);
        total = cut_rows(&b, ids, self->end);
        Py_END_ALLOW_THREADS
        result = pack_rows(&b, ids, total);
    } else {
        PyErr_NoMemory();
    }
    PyMem_RawFree(ids);
    batch_free(&b);
    return result;
}

static PyMethodDef methods[] = {
    {"rows", (PyCFunction)(void (*)(void))tokenizer_rows, METH_FASTCALL,
     "rows($self, texts, context, clean, /)\n--\n\n-> ids (N, context) int32, count of texts with a special token"},
    {"pack", (PyCFunction)(void (*)(void))tokenizer_pack, METH_FASTCALL,
     "pack($self, texts, context, clean, /)\n--\n\n-> ids (T,) int32, offsets (N+1,) int32, the same count"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Tokenizer(symbol, merge, vocab, start, end, unknown, start_text, end_text, fold)\n--\n\n"
                "Byte-pair encoding; vlmneg.Tokenizer explains and checks."},
    {Py_tp_new, tokenizer_new},
    {Py_tp_dealloc, tokenizer_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "vlmneg._core.Tokenizer",
    .basicsize = sizeof(tokenizer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

PyMethodDef vnpy_text_methods[] = {{NULL, NULL, 0, NULL}};

int
vnpy_text_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (type == NULL)
        return -1;
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}
