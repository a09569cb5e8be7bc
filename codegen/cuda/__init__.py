"""The same programs on NVIDIA's GPUs: kernels of Numba CUDA, and arrays that stay on the device."""
