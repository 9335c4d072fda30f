"""Value and Jacobian of every input in X.npy by a shared library, compared bit by bit with Y.npy and J.npy.

python3 call.py LIBRARY MODEL float|double INPUTS OUTPUTS X.npy Y.npy J.npy
"""

import ctypes
import sys

path, model, scalar, inputs, outputs, *files = sys.argv[1:]
number = {"float": ctypes.c_float, "double": ctypes.c_double}[scalar]
inputs, outputs = int(inputs), int(outputs)


def rows(path, columns):
    """The bytes of each row of an .npy file."""
    with open(path, "rb") as file:
        content = file.read()
    start = 10 + int.from_bytes(content[8:10], "little")
    size = columns * ctypes.sizeof(number)
    return [content[at : at + size] for at in range(start, len(content), size)]


function = getattr(ctypes.CDLL(path), model)
x_array, f_array, g_array = (number * n for n in (inputs, outputs, outputs * inputs))
function.argtypes = [ctypes.c_int * 2, x_array, f_array, g_array]
need, f, g = (ctypes.c_int * 2)(1, 1), f_array(), g_array()

different = 0
table = list(zip(rows(files[0], inputs), rows(files[1], outputs), rows(files[2], outputs * inputs)))
for x, value, jacobian in table:
    status = function(need, x_array.from_buffer_copy(x), f, g)
    different += status != 0 or bytes(f) != value or bytes(g) != jacobian
print(f"Python, {len(table)} inputs: {different} with other bits")
sys.exit(0 if table and not different else 1)
