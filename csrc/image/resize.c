/* Pillow's antialiased bicubic resize of uint8 pixels, bit for bit, of the wanted part only.
 *
 * Per axis, N pixels to M: scale = N/M, f = max(scale, 1), centre c = (i + 0.5) scale; output i sums the pixels j
 * within 2f of c with weights cubic((j - c + 0.5)/f), a = -0.5, divided by their sum, rounded to 22 fractional bits.
 * The sum is rounded to 8 bits after each of two passes, so their order shows. in (H,W,C), out (rows,columns,C).
 * An axis that keeps its size has weights 0, 1, 0 and needs no case of its own.
 * Both passes are one loop, a weighted sum of lines; the horizontal one first turns ROWS rows on their side.
 * Keys, Cubic convolution interpolation for digital image processing, 1981. */
#include "vn_image.h"

#include <math.h>
#include <string.h>

/* 32 lanes: with 16 or fewer the compiler unrolls the inner loop into scalars before it thinks of vectors. */
enum { BITS = 22, ROWS = 32, LANES = 32 };

/* One axis: its wanted outputs [begin, begin + count) read the pixels [low, high). */
typedef struct axis {
    int64_t N, M, begin, count, low, high, taps;
    int64_t *first, *length; /* (count) */
    int32_t *weight;         /* (count,taps) */
    double *exact;           /* (taps) */
} axis;

static double
cubic(double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0)
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    if (t < 2.0)
        return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
    return 0.0;
}

static double
stretch(const axis *x)
{
    return VN_MAX((double)x->N / (double)x->M, 1.0);
}

/* pixels [first, last) that output i sums */
static void
reach(const axis *x, int64_t i, int64_t *first, int64_t *last)
{
    double centre = ((double)i + 0.5) * ((double)x->N / (double)x->M), support = 2.0 * stretch(x);
    *first = VN_MAX((int64_t)(centre - support + 0.5), 0);
    *last = VN_MIN((int64_t)(centre + support + 0.5), x->N);
}

static axis
axis_plan(int64_t N, int64_t M, int64_t begin, int64_t count, vn_arena *scratch)
{
    axis x = {.N = N, .M = M, .begin = begin, .count = count};
    int64_t unused;
    reach(&x, begin, &x.low, &unused);
    reach(&x, begin + count - 1, &unused, &x.high);
    x.taps = 2 * (int64_t)ceil(2.0 * stretch(&x)) + 1;
    x.first = vn_arena_take(scratch, (size_t)count * sizeof *x.first);
    x.length = vn_arena_take(scratch, (size_t)count * sizeof *x.length);
    x.weight = vn_arena_take(scratch, (size_t)(count * x.taps) * sizeof *x.weight);
    x.exact = vn_arena_take(scratch, (size_t)x.taps * sizeof *x.exact);
    return x;
}

static void
axis_weigh(const axis *x)
{
    double scale = (double)x->N / (double)x->M, inverse = 1.0 / stretch(x);
    for (int64_t i = 0; i < x->count; i++) {
        double centre = ((double)(x->begin + i) + 0.5) * scale, sum = 0.0;
        int64_t first, last;
        reach(x, x->begin + i, &first, &last);
        for (int64_t j = first; j < last; j++) {
            x->exact[j - first] = cubic(((double)j - centre + 0.5) * inverse);
            sum += x->exact[j - first];
        }
        for (int64_t k = 0; k < last - first; k++) {
            double w = sum != 0.0 ? x->exact[k] / sum : x->exact[k];
            x->weight[i * x->taps + k] = (int32_t)(w * (1 << BITS) + (w < 0.0 ? -0.5 : 0.5));
        }
        x->first[i] = first - x->low;
        x->length[i] = last - first;
    }
}

static inline uint8_t
round_to_byte(int32_t sum)
{
    sum >>= BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* out[j] = sum over k < taps of weight[k] line_k[j], j < n; lines are stride bytes apart */
VN_CLONES static void
blend(uint8_t *VN_RESTRICT out, const uint8_t *VN_RESTRICT line, int64_t stride, const int32_t *VN_RESTRICT weight,
      int64_t taps, int64_t n)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        int32_t sum[LANES];
        for (int l = 0; l < LANES; l++)
            sum[l] = 1 << (BITS - 1);
        for (int64_t k = 0; k < taps; k++)
            for (int l = 0; l < LANES; l++)
                sum[l] += weight[k] * line[k * stride + j + l];
        for (int l = 0; l < LANES; l++)
            out[j + l] = round_to_byte(sum[l]);
    }
    for (; j < n; j++) {
        int32_t sum = 1 << (BITS - 1);
        for (int64_t k = 0; k < taps; k++)
            sum += weight[k] * line[k * stride + j];
        out[j] = round_to_byte(sum);
    }
}

/* out (count,n); in: rows of n bytes, the first is pixel row y->low */
static void
pass_vertical(uint8_t *out, const uint8_t *in, int64_t stride, int64_t n, const axis *y)
{
    for (int64_t i = 0; i < y->count; i++)
        blend(out + i * n, in + y->first[i] * stride, stride, y->weight + i * y->taps, y->length[i], n);
}

/* Trades the high parts of a for the low parts of b; mask covers the low ones. */
static inline void
swap_parts(uint64_t *a, uint64_t *b, int bits, uint64_t mask)
{
    uint64_t change = ((*a >> bits) ^ *b) & mask;
    *a ^= change << bits;
    *b ^= change;
}

/* out[j][i] = in[i][j] for 8 x 8 bytes, by halves, quarters and eighths of words (little-endian) */
static inline void
turn_block(uint8_t *out, int64_t out_stride, const uint8_t *in, int64_t in_stride)
{
    uint64_t x[8];
    for (int i = 0; i < 8; i++)
        memcpy(x + i, in + i * in_stride, 8);
    for (int i = 0; i < 4; i++)
        swap_parts(x + i, x + i + 4, 32, 0x00000000FFFFFFFFu);
    for (int i = 0; i < 4; i++)
        swap_parts(x + i + (i & 2), x + i + (i & 2) + 2, 16, 0x0000FFFF0000FFFFu);
    for (int i = 0; i < 8; i += 2)
        swap_parts(x + i, x + i + 1, 8, 0x00FF00FF00FF00FFu);
    for (int i = 0; i < 8; i++)
        memcpy(out + i * out_stride, x + i, 8);
}

/* out[j][i] = in[i][j] for rows x columns bytes */
static void
turn(uint8_t *VN_RESTRICT out, int64_t out_stride, const uint8_t *VN_RESTRICT in, int64_t in_stride, int64_t rows,
     int64_t columns)
{
    int64_t blocks = rows & ~(int64_t)7, across = columns & ~(int64_t)7;
    for (int64_t i = 0; i < blocks; i += 8)
        for (int64_t j = 0; j < across; j += 8)
            turn_block(out + j * out_stride + i, out_stride, in + i * in_stride + j, in_stride);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i < blocks ? across : 0; j < columns; j++)
            out[j * out_stride + i] = in[i * in_stride + j];
}

/* out (rows,count,C); in: rows that begin at pixel column x->low; side (high - low + count,C,ROWS).
 * A last strip with fewer rows leaves lanes over that nobody reads. */
static void
pass_horizontal(uint8_t *out, const uint8_t *in, int64_t stride, int64_t rows, int64_t C, const axis *x, uint8_t *side)
{
    int64_t span = (x->high - x->low) * C, n = C * ROWS, line = x->count * C;
    uint8_t *made = side + span * ROWS;
    for (int64_t y = 0; y < rows; y += ROWS) {
        int64_t some = VN_MIN(rows - y, (int64_t)ROWS);
        turn(side, ROWS, in + y * stride, stride, some, span);
        for (int64_t i = 0; i < x->count; i++)
            blend(made + i * n, side + x->first[i] * n, n, x->weight + i * x->taps, x->length[i], n);
        turn(out + y * line, line, made, ROWS, line, some);
    }
}

static int
vertical_first(const vn_picture *in, const vn_window *part, vn_order order)
{
    int64_t shrink = in->H - part->height;
    return shrink > 0 && ((order == VN_ORDER_PILLOW12 && in->H > 100 * in->W) ||
                          (order == VN_ORDER_PILLOW13 && shrink > 2 * (in->W - part->width)));
}

void
vn_picture_resize(uint8_t *out, const vn_picture *in, const vn_window *part, vn_order order, vn_arena *scratch)
{
    axis x = axis_plan(in->W, part->width, part->left, part->columns, scratch);
    axis y = axis_plan(in->H, part->height, part->top, part->rows, scratch);
    int64_t C = in->C, wide = x.high - x.low, high = y.high - y.low;
    int vertical = vertical_first(in, part, order);
    uint8_t *side = vn_arena_take(scratch, (size_t)((wide + x.count) * C * ROWS));
    uint8_t *between = vn_arena_take(scratch, (size_t)((vertical ? y.count * wide : high * x.count) * C));
    if (scratch->base == NULL)
        return;
    axis_weigh(&x);
    axis_weigh(&y);
    const uint8_t *corner = in->pixels + y.low * in->stride + x.low * C;
    if (vertical) {
        pass_vertical(between, corner, in->stride, wide * C, &y);
        pass_horizontal(out, between, wide * C, y.count, C, &x, side);
    } else {
        pass_horizontal(between, corner, in->stride, high, C, &x, side);
        pass_vertical(out, between, x.count * C, x.count * C, &y);
    }
}
