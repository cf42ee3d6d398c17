/* Random resized crop: which box of a picture a training step sees.
 *
 * Ten tries: area = H W u, aspect = exp(v), u uniform in scale, v uniform in log(ratio);
 * width = round(sqrt(area aspect)), height = round(sqrt(area / aspect)); the first that fits is placed uniformly.
 * None fits: the largest centred box of an allowed aspect.
 * Try t takes the four words of Philox block t, the mirror block TRIES: none depends on another.
 * Szegedy et al., Going deeper with convolutions, 2015, as torchvision's RandomResizedCrop. */
#include <math.h>

#include "../core/vn_philox.h"
#include "vn_image.h"

enum { TRIES = 10 };

static double
between(const double range[2], uint32_t word)
{
    return range[0] + (double)(word >> 8) * 0x1p-24 * (range[1] - range[0]);
}

static int64_t
below(int64_t n, uint32_t word)
{
    return (int64_t)(((uint64_t)word * (uint64_t)n) >> 32);
}

static vn_box
centred(int64_t H, int64_t W, const double ratio[2])
{
    vn_box b = {0, 0, H, W};
    double aspect = (double)W / (double)H;
    if (aspect < ratio[0])
        b.height = (int64_t)rint((double)W / ratio[0]);
    else if (aspect > ratio[1])
        b.width = (int64_t)rint((double)H * ratio[1]);
    b.height = VN_MAX(b.height, 1);
    b.width = VN_MAX(b.width, 1);
    b.top = (H - b.height) / 2;
    b.left = (W - b.width) / 2;
    return b;
}

vn_box
vn_box_draw(int64_t H, int64_t W, const double scale[2], const double ratio[2], uint64_t seed, uint64_t row)
{
    const double logs[2] = {log(ratio[0]), log(ratio[1])};
    for (uint32_t t = 0; t < TRIES; t++) {
        vn_philox4 r = vn_philox(seed, row, t, VN_STREAM_AUGMENT);
        double area = (double)H * (double)W * between(scale, r.x[0]), aspect = exp(between(logs, r.x[1]));
        double width = rint(sqrt(area * aspect)), height = rint(sqrt(area / aspect));
        if (width >= 1.0 && width <= (double)W && height >= 1.0 && height <= (double)H) {
            vn_box b = {0, 0, (int64_t)height, (int64_t)width};
            b.top = below(H - b.height + 1, r.x[2]);
            b.left = below(W - b.width + 1, r.x[3]);
            return b;
        }
    }
    return centred(H, W, ratio);
}

int
vn_mirror_draw(uint64_t seed, uint64_t row)
{
    return (int)(vn_philox(seed, row, TRIES, VN_STREAM_AUGMENT).x[0] >> 31);
}
