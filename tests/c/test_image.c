/* Pictures in memory of the exact size: no byte beyond a picture, a window, a tensor or the counted scratch is touched;
 * a part is that part of the whole, and one colour stays one colour. */
#include <string.h>

#include "../../csrc/image/vn_image.h"
#include "check.h"

static uint8_t *
resized(const vn_picture *in, const vn_window *part, vn_order order)
{
    vn_arena scratch = {0};
    vn_picture_resize(NULL, in, part, order, &scratch);
    scratch.size = scratch.used;
    scratch.used = 0;
    scratch.base = fresh(scratch.size);
    memset(scratch.base, 0, scratch.size);
    uint8_t *out = fresh((size_t)(part->rows * part->columns * in->C));
    vn_picture_resize(out, in, part, order, &scratch);
    CHECK(scratch.used == scratch.size);
    free(scratch.base);
    return out;
}

static void
test_parts(int64_t H, int64_t W, int64_t C, int64_t h, int64_t w, vn_order order)
{
    uint8_t *pixels = fresh((size_t)(H * W * C));
    for (int64_t i = 0; i < H * W * C; i++)
        pixels[i] = (uint8_t)(i * i % 251);
    vn_picture in = {pixels, H, W, C, W * C};
    vn_window all = {h, w, 0, 0, h, w}, some = {h, w, h / 3, w / 2, h - h / 3 - h / 4, w - w / 2};
    uint8_t *whole = resized(&in, &all, order), *part = resized(&in, &some, order);
    for (int64_t y = 0; y < some.rows; y++)
        CHECK(memcmp(part + y * some.columns * C, whole + ((some.top + y) * w + some.left) * C,
                     (size_t)(some.columns * C)) == 0);
    if (H == h && W == w)
        CHECK(memcmp(whole, pixels, (size_t)(H * W * C)) == 0);
    free(whole);
    free(part);
    memset(pixels, 200, (size_t)(H * W * C));
    whole = resized(&in, &all, order);
    for (int64_t i = 0; i < h * w * C; i++)
        CHECK(whole[i] == 200);
    free(whole);
    free(pixels);
}

/* A crop inside a larger picture, mirrored, its last row ending with the memory. */
static void
test_tensor(int64_t C)
{
    enum { H = 9, W = 11, S = 5 };
    vn_arena scratch = {0};
    float table[3 * 256], *plain = fresh(sizeof(float) * 3 * S * S), *mirrored = fresh(sizeof(float) * 3 * S * S);
    uint8_t *pixels = fresh((size_t)(H * W * C));
    for (int i = 0; i < 3 * 256; i++)
        table[i] = (float)i;
    for (int64_t i = 0; i < H * W * C; i++)
        pixels[i] = (uint8_t)(i * 37);
    vn_picture in = {pixels + (2 * W + 4) * C, H - 2, W - 4, C, W * C};
    vn_window part = {S + 2, S, 1, 0, S, S};
    vn_picture_tensor(NULL, &in, &part, VN_ORDER_HORIZONTAL, 0, NULL, &scratch);
    scratch = (vn_arena){fresh(scratch.used), 0, scratch.used};
    memset(scratch.base, 0, scratch.size);
    vn_picture_tensor(plain, &in, &part, VN_ORDER_HORIZONTAL, 0, table, &scratch);
    scratch.used = 0;
    vn_picture_tensor(mirrored, &in, &part, VN_ORDER_HORIZONTAL, 1, table, &scratch);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < S * S; i++) {
            float x = plain[c * S * S + i];
            CHECK(x >= (float)(256 * c) && x < (float)(256 * c + 256));
            CHECK(x == mirrored[c * S * S + i / S * S + S - 1 - i % S]);
        }
    free(scratch.base);
    free(pixels);
    free(plain);
    free(mirrored);
}

static void
test_boxes(void)
{
    const double scale[2] = {0.08, 1.0}, ratio[2] = {0.75, 4.0 / 3.0};
    for (int64_t H = 1; H < 40; H += 3)
        for (int64_t W = 1; W < 200; W += 17)
            for (uint64_t row = 0; row < 20; row++) {
                vn_box b = vn_box_draw(H, W, scale, ratio, 7, row);
                CHECK(b.height >= 1 && b.width >= 1 && b.top >= 0 && b.left >= 0);
                CHECK(b.top + b.height <= H && b.left + b.width <= W);
            }
}

int
main(void)
{
    const int64_t sizes[] = {1, 2, 3, 7, 17, 33, 65};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int i = 0; i < SIZES; i++)
        for (int j = 0; j < SIZES; j++)
            for (int64_t C = 1; C <= 4; C++)
                for (int order = 0; order < 3; order++)
                    test_parts(sizes[i], sizes[j], C, sizes[(i + (int)C) % SIZES], sizes[(j + 3 * order) % SIZES],
                               (vn_order)order);
    test_parts(301, 3, 3, 9, 3, VN_ORDER_PILLOW13);
    test_parts(301, 3, 3, 9, 2, VN_ORDER_PILLOW12);
    test_tensor(1);
    test_tensor(3);
    test_boxes();
    return failures;
}
