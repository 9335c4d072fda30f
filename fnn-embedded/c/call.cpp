// Value and Jacobian of every input in X.npy by two threads, each with a workspace of its own, and the bits
// compared with Y.npy and J.npy. MODEL is the name of the model, HEADER its header.

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define M(suffix) JOIN(MODEL, suffix)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#include TEXT(HEADER)

// The numbers of an .npy file, which follow its header.
static std::vector<SCALAR> numbers(const char *path)
{
    std::ifstream file(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.size() < 10) {
        return {};
    }
    std::size_t start = 10u + static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
    std::vector<SCALAR> all((bytes.size() - start) / sizeof(SCALAR));
    std::memcpy(all.data(), bytes.data() + start, all.size() * sizeof(SCALAR));
    return all;
}

int main(int, char **files)
{
    const std::vector<SCALAR> x = numbers(files[1]), y = numbers(files[2]), jacobian = numbers(files[3]);
    const std::size_t rows = x.size() / M(_INPUTS), size = M(_OUTPUTS) * M(_INPUTS);
    if (rows == 0 || y.size() != rows * M(_OUTPUTS) || jacobian.size() != rows * size) {
        std::printf("the files do not fit the model\n");
        return 2;
    }
    std::size_t different[2] = {0, 0};
    auto half = [&](std::size_t first) {
        std::vector<SCALAR> workspace(M(_WORKSPACE)), f(M(_OUTPUTS)), g(size);
        const int need[2] = {1, 1};
        for (std::size_t row = first; row < rows; row += 2) {
            int status = M(_r)(need, &x[row * M(_INPUTS)], f.data(), g.data(), workspace.data());
            bool is_equal = status == M(_OK) &&
                std::memcmp(f.data(), &y[row * M(_OUTPUTS)], M(_OUTPUTS) * sizeof(SCALAR)) == 0 &&
                std::memcmp(g.data(), &jacobian[row * size], size * sizeof(SCALAR)) == 0;
            different[first] += is_equal ? 0 : 1;
        }
    };
    std::thread other(half, std::size_t(1));
    half(0);
    other.join();
    std::printf("C++, %zu inputs on two threads: %zu with other bits\n", rows, different[0] + different[1]);
    return different[0] + different[1] == 0 ? 0 : 1;
}
