/* What text negatives work with, for tests and displays: words of a caption, generators, lexicon, keywords, phrases. */
#include "vnpy.h"

#include "../negatives/words/vn_keywords.h"
#include "../text/vn_phrases.h"
#include "../vn_negative.h"

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
    Py_ssize_t bytes;
    if (!PyUnicode_Check(caption))
        return PyErr_Format(PyExc_TypeError, "caption must be a str, got %s", Py_TYPE(caption)->tp_name);
    if ((text.text = PyUnicode_AsUTF8AndSize(caption, &bytes)) == NULL)
        return NULL;
    if (bytes > INT32_MAX)
        return PyErr_Format(PyExc_ValueError, "caption must be shorter than 2^31 bytes, got %zd", bytes);
    text.bytes = bytes;
    PyObject *list = PyList_New(0);
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

/* text_keywords() -> groups [(name, concept, instead)], found [(text, group, sense, form)],
 * put in [(text, group, sense, home, form, mass)]; groups by number */
static PyObject *
text_keywords(PyObject *module, PyObject *none)
{
    static const int forms[] = {VN_BASE, VN_PLURAL, VN_THIRD, VN_ING, VN_PAST};
    (void)module, (void)none;
    PyObject *groups = PyList_New(0), *found = PyList_New(0), *put = PyList_New(0);
    int ok = groups != NULL && found != NULL && put != NULL;
    for (int64_t i = 0; ok && i <= VN_GROUPS_GROUP; i++) {
        const vn_group *g = vn_groups_entry(i);
        ok = append(groups, Py_BuildValue("sii", g->name, g->concept, g->instead)) == 0;
    }
    for (int64_t i = 0; ok && i < vn_keywords_size(); i++) {
        const vn_keyword *k = vn_keywords_entry(i);
        ok = append(found, Py_BuildValue("siii", k->text, k->group, k->sense, k->form)) == 0;
    }
    for (int f = 0; f < VN_WORD_FORMS; f++)
        for (int g = 0; g < VN_GROUPS_GROUP; g++) {
            int begin, end;
            vn_puts_of(g, forms[f], &begin, &end);
            for (int at = begin; ok && at < end; at++) {
                const vn_put *p = vn_puts_entry(at);
                ok = append(put, Py_BuildValue("siiiii", p->text, p->group, p->sense, p->home, forms[f],
                                                p->mass)) == 0;
            }
        }
    PyObject *all = ok ? PyTuple_Pack(3, groups, found, put) : NULL;
    Py_XDECREF(groups), Py_XDECREF(found), Py_XDECREF(put);
    return all;
}

/* text_phrases() -> [(text, list, number)] */
static PyObject *
text_phrases(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list != NULL && i < vn_phrases_size(); i++) {
        const vn_phrase *p = vn_phrases_entry(i);
        if (append(list, Py_BuildValue("ssi", p->text, p->list_name, p->number)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

PyMethodDef vnpy_wordlists_methods[] = {
    {"text_words", text_words, METH_O, "text_words(caption) -> [(word, class, form)]"},
    {"text_listed", text_listed, METH_NOARGS, "text_listed() -> [(name, doc, kinds, stream)]"},
    {"text_lexicon", text_lexicon, METH_NOARGS, "text_lexicon() -> [(text, classes, lemma, form)]"},
    {"text_keywords", text_keywords, METH_NOARGS, "text_keywords() -> groups, found words, words that are put in"},
    {"text_phrases", text_phrases, METH_NOARGS, "text_phrases() -> [(text, list, number)]"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_wordlists_exec(PyObject *module)
{
    (void)module;
    return 0;
}
