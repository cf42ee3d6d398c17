/* The module vlmneg._core: its families, nothing else. */
#define VNPY_IMPORT_NUMPY
#include "vnpy.h"

static int
exec(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "vlmneg runs in the main interpreter only; use threads or processes");
        return -1;
    }
    if (PyArray_ImportNumPyAPI() < 0)
        return -1;
#define X(family)                                                                                   \
    if (PyModule_AddFunctions(module, vnpy_##family##_methods) < 0 || vnpy_##family##_exec(module) < 0) \
        return -1;
    VNPY_FAMILIES(X)
#undef X
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "vlmneg._core",
    .m_doc = "The C core of vlmneg. Use the public modules: their functions check, explain and document.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
