/* SPDX-License-Identifier: Apache-2.0
 * Arrow's protocol for devices: __arrow_c_device_array__ and __arrow_c_device_stream__. Who reads the
 * chunks looks at where they are first. */
#include <string.h>

#include "arrow.h"

/* Arrays of one table are on one device, and so is what they wait for. */
static int take(struct ArrowDeviceArray *given, struct qn_py_chunks *c)
{
    struct ArrowArray *place = qn_py_next_chunk(c);
    if (place == NULL) return -1;
    if ((c->n != 0 && c->device != given->device_type) || (c->event != NULL)) {
        PyErr_SetString(PyExc_ValueError, "Arrow chunks that are on devices of several types, or "
                                          "wait for several events");
        return -1;
    }
    *place = given->array;
    given->array.release = NULL;
    c->n++;
    c->device = given->device_type;
    c->event = given->sync_event;
    return 0;
}

static int from_pair(PyObject *pair, struct qn_py_chunks *c)
{
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "__arrow_c_device_array__ gave no pair of capsules");
        return -1;
    }
    struct ArrowSchema *schema = PyCapsule_GetPointer(PyTuple_GetItem(pair, 0), "arrow_schema");
    if (schema == NULL) return -1;
    struct ArrowDeviceArray *array =
        PyCapsule_GetPointer(PyTuple_GetItem(pair, 1), "arrow_device_array");
    if (array == NULL) return -1;
    if (schema->release == NULL) return qn_py_arrow_released("schema");
    if (array->array.release == NULL) return qn_py_arrow_released("array");
    if (take(array, c) < 0) return -1;
    c->schema = *schema;
    schema->release = NULL;
    return 0;
}

static int read_stream(struct ArrowDeviceArrayStream *stream, struct qn_py_chunks *c)
{
    int code;
    c->device = stream->device_type;
    Py_BEGIN_ALLOW_THREADS;
    code = stream->get_schema(stream, &c->schema);
    Py_END_ALLOW_THREADS;
    if (code != 0) return qn_py_arrow_failed(code, stream->get_last_error(stream));
    for (;;) {
        struct ArrowDeviceArray next = {0};
        Py_BEGIN_ALLOW_THREADS;
        code = stream->get_next(stream, &next);
        Py_END_ALLOW_THREADS;
        if (code != 0) return qn_py_arrow_failed(code, stream->get_last_error(stream));
        if (next.array.release == NULL) return PyErr_CheckSignals();
        int failed = take(&next, c);
        if (next.array.release != NULL) next.array.release(&next.array);
        if (failed || PyErr_CheckSignals() < 0) return -1;
    }
}

static int from_stream(PyObject *capsule, struct qn_py_chunks *c)
{
    PyObject *type, *value, *trace; /* of a failure */
    struct ArrowDeviceArrayStream *given =
        PyCapsule_GetPointer(capsule, "arrow_device_array_stream");
    if (given == NULL) return -1;
    if (given->release == NULL) return qn_py_arrow_released("stream");
    struct ArrowDeviceArrayStream stream = *given;
    given->release = NULL;
    int failed = read_stream(&stream, c);
    PyErr_Fetch(&type, &value, &trace);
    if (stream.release != NULL) stream.release(&stream); /* it may be Python */
    PyErr_Restore(type, value, trace);
    return failed;
}

int qn_py_fetch_device(PyObject *object, struct qn_py_chunks *c)
{
    int failed = -1;
    PyObject *given = qn_py_call_if_there(object, "__arrow_c_device_stream__");
    if (given != NULL) {
        failed = from_stream(given, c);
    } else if (!PyErr_Occurred()) {
        given = qn_py_call_if_there(object, "__arrow_c_device_array__");
        if (given == NULL) return PyErr_Occurred() ? -1 : 0;
        failed = from_pair(given, c);
    }
    Py_XDECREF(given);
    return failed ? -1 : 1;
}
