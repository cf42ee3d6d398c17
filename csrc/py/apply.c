/* The text that edits make of a caption, for generators that are written in Python. */
#include "vnpy.h"

#include "../vn_negative.h"

/* A place where a character begins, or the end. */
static int
is_border(vn_span text, int64_t byte)
{
    return byte == text.bytes || ((unsigned char)text.text[byte] & 0xC0) != 0x80;
}

/* edits: a tuple of (begin, end, text), in the order of the caption, not overlapping; sets the room they ask for */
static int
take_edits(PyObject *tuple, vn_span caption, vn_text *out, int64_t *room)
{
    int64_t last = 0;
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) > VN_MAX_WORDS) {
        PyErr_Format(PyExc_TypeError, "edits must be a tuple of at most %d, got %R", VN_MAX_WORDS, tuple);
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *edit = PyTuple_GET_ITEM(tuple, i);
        int64_t begin, end;
        Py_ssize_t bytes;
        vn_span text;
        if (!PyTuple_Check(edit) || PyTuple_GET_SIZE(edit) != 3 || !PyUnicode_Check(PyTuple_GET_ITEM(edit, 2))) {
            PyErr_Format(PyExc_TypeError, "edits[%zd] must be (begin, end, str), got %R", i, edit);
            return -1;
        }
        if (vnpy_int64(PyTuple_GET_ITEM(edit, 0), "begin", last, caption.bytes, &begin) < 0 ||
            vnpy_int64(PyTuple_GET_ITEM(edit, 1), "end", begin, caption.bytes, &end) < 0 ||
            (text.text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(edit, 2), &bytes)) == NULL)
            return -1;
        if (!is_border(caption, begin) || !is_border(caption, end)) {
            PyErr_Format(PyExc_ValueError, "edits[%zd] must not part a character's bytes", i);
            return -1;
        }
        if ((text.bytes = bytes) > INT32_MAX / 2 - *room) {
            PyErr_Format(PyExc_ValueError, "edits[%zd] is too long", i);
            return -1;
        }
        *room += bytes;
        last = end;
        vn_text_edit(out, begin, end, text);
    }
    return 0;
}

/* text_apply(caption, edits) -> str */
static PyObject *
text_apply(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vn_word word[VN_MAX_WORDS];
    vn_place place[VN_TEXT_PLACES];
    vn_text made;
    vn_sentence in = {{NULL, 0}, word, 0, NULL, 0};
    Py_ssize_t bytes;
    uint8_t places;
    (void)module;
    if (vnpy_count("text_apply", n, 2) < 0)
        return NULL;
    if (!PyUnicode_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "caption must be a str, got %s", Py_TYPE(args[0])->tp_name);
        return NULL;
    }
    if ((in.text.text = PyUnicode_AsUTF8AndSize(args[0], &bytes)) == NULL)
        return NULL;
    int64_t room = bytes + VN_MAX_WORDS; /* an article can grow by a letter */
    if (bytes > INT32_MAX / 2) {
        PyErr_Format(PyExc_ValueError, "caption must be shorter than 2^30 bytes, got %zd", bytes);
        return NULL;
    }
    in.text.bytes = bytes;
    made.edits = made.raw = made.kind = made.variants = 0;
    if (take_edits(args[1], in.text, &made, &room) < 0)
        return NULL;
    in.words = vn_words_tag(word, in.text);
    char *text = PyMem_Malloc((size_t)room);
    if (text == NULL)
        return PyErr_NoMemory();
    bytes = (Py_ssize_t)vn_text_apply(text, room, place, &places, &in, &made);
    PyObject *result = PyUnicode_DecodeUTF8(text, bytes, NULL);
    PyMem_Free(text);
    return result;
}

PyMethodDef vnpy_apply_methods[] = {
    {"text_apply", (PyCFunction)(void (*)(void))text_apply, METH_FASTCALL,
     "text_apply(caption, edits) -> the text after edits (begin, end, text) in bytes, articles and capitals mended"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_apply_exec(PyObject *module)
{
    (void)module;
    return 0;
}
