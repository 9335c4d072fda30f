/* The function that the project grew from, by hand: a network 4-32-32-32-32-32-3, mish but for
 * the last layer, and its Jacobian, as its description reads: the sensitivity starts as the
 * identity, every layer multiplies it by its weights and scales its rows by the slopes.
 *
 * It is what `fnn_core` is measured against. The weights are those of seed.rs. */

#include <math.h>

enum { NX = 4, NH = 32, NF = 3, NHIDDEN = 4 };

/* The weights are in flash with the network that this one is compared with; a library for the desk
 * is compiled with -DSEED_WEIGHTS= and has memory for them. */
#ifndef SEED_WEIGHTS
#define SEED_WEIGHTS extern const
#endif

/* Row by row: weight[i][j] multiplies input j for neuron i. */
SEED_WEIGHTS struct {
    float first[NH][NX], first_bias[NH];
    float hidden[NHIDDEN][NH][NH], hidden_bias[NHIDDEN][NH];
    float last[NF][NH], last_bias[NF];
} seed_weights;

/* z becomes mish(z), with its slope where it is wanted: as its definition reads, or, compiled with
 * -DONE_EXPONENTIAL, as who knows the formulas of `fnn_core` writes it. */
#ifndef ONE_EXPONENTIAL
static float mish(float z, int want_slope, float *slope)
{
    float e = expf(z);
    float t = tanhf(log1pf(e));
    if (want_slope)
        *slope = t + z * (1 - t * t) * e / (1 + e);
    return z * t;
}
#else
static float mish(float z, int want_slope, float *slope)
{
    float w = expf(z < 20 ? z : 20);
    float n = w * (w + 2), d = n + 2, t = n / d;
    if (want_slope)
        *slope = t + 4 * z * w * (w + 1) / (d * d);
    return z * t;
}
#define seed seed_one_exponential
#endif

/* One layer: value y and sensitivity s in, value and sensitivity out. */
static inline void layer(int nin, int nout, const float *a, const float *b, int is_last,
                         int want_s, const float *y, float s[][NX], float *y_out,
                         float s_out[][NX])
{
    for (int i = 0; i < nout; i++) {
        float z = b[i];
        for (int j = 0; j < nin; j++)
            z += a[i * nin + j] * y[j];

        float slope = 1;
        y_out[i] = is_last ? z : mish(z, want_s, &slope);

        if (want_s) {
            float sum[NX] = {0};
            for (int j = 0; j < nin; j++)
                for (int c = 0; c < NX; c++)
                    sum[c] += a[i * nin + j] * s[j][c];
            for (int c = 0; c < NX; c++)
                s_out[i][c] = slope * sum[c];
        }
    }
}

/* f gets the value if need[0], g the Jacobian if need[1]: g[i + NF * j] = d f[i] / d x[j]. */
int seed(const int need[2], const float *x, float *f, float *g)
{
    float y[2][NH], s[2][NH][NX];
    float y_last[NF], s_last[NF][NX];
    int want_s = need[1];

    for (int i = 0; i < NX; i++) {
        y[0][i] = x[i];
        for (int j = 0; j < NX; j++)
            s[0][i][j] = i == j;
    }
    layer(NX, NH, seed_weights.first[0], seed_weights.first_bias, 0, want_s,
          y[0], s[0], y[1], s[1]);
    for (int k = 0; k < NHIDDEN; k++) {
        int from = (k + 1) % 2, to = k % 2;
        layer(NH, NH, seed_weights.hidden[k][0], seed_weights.hidden_bias[k], 0, want_s,
              y[from], s[from], y[to], s[to]);
    }
    layer(NH, NF, seed_weights.last[0], seed_weights.last_bias, 1, want_s,
          y[1], s[1], y_last, s_last);

    for (int i = 0; i < NF; i++) {
        if (need[0])
            f[i] = y_last[i];
        if (need[1])
            for (int j = 0; j < NX; j++)
                g[i + NF * j] = s_last[i][j];
    }
    return 0;
}
