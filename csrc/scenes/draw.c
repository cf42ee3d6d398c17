/* The picture of a scene: a sloping, noisy ground, then each object with 4 x 4 samples a pixel.
 *
 * (u,v) are coordinates about the object's centre in 1/1024 of its radius, v downwards; a shape is an inequality in
 * them. The noise draws from 2^24 on, sixteen pixels a block, so an edited scene has the same ground. */
#include "vn_scene.h"

#include <stdlib.h>
#include <string.h>

enum { UNIT = 1024, FINE = 4, SAMPLES = 2 * VN_SCENE_MAX }; /* an object is at most half a picture wide */

static const uint8_t palette[VN_COLOURS][3] = {
    {225, 35, 40}, {255, 140, 0},  {250, 230, 50},  {165, 240, 70}, {30, 160, 60},   {60, 220, 230},
    {50, 90, 250}, {145, 50, 205}, {255, 130, 190}, {165, 95, 45},  {245, 245, 245}, {145, 145, 145},
};

/* Inside of a five-pointed star: at least four of the five half-planes along its lines. */
static int
in_star(int32_t u, int32_t v)
{
    static const int32_t normal[5][2] = {{0, 1024}, {974, 316}, {602, -828}, {-602, -828}, {-974, 316}};
    int inside = 0;
    for (int i = 0; i < 5; i++)
        inside += normal[i][0] * u + normal[i][1] * v <= 308 * UNIT;
    return inside >= 4;
}

static int
in_shape(int shape, int32_t u, int32_t v)
{
    int32_t a = abs(u), b = abs(v), d = u * u + v * v;
    switch (shape) {
    case VN_CIRCLE: return d <= 1000 * 1000;
    case VN_SQUARE: return a <= 860 && b <= 860;
    case VN_TRIANGLE: return v <= 860 && 2 * a <= v + 1000;
    case VN_DIAMOND: return 3 * a + 2 * b <= 2000;
    case VN_STAR: return in_star(u, v);
    case VN_HEART:
        return (a - 480) * (a - 480) + (v + 330) * (v + 330) <= 520 * 520 || (v >= -190 && 10 * a + 9 * v <= 7900);
    case VN_CROSS: return (a <= 300 && b <= 1000) || (b <= 300 && a <= 1000);
    case VN_RING: return d <= 1000 * 1000 && d >= 580 * 580;
    case VN_MOON: return d <= 1000 * 1000 && (u - 480) * (u - 480) + v * v >= 800 * 800;
    case VN_ARROW: return (v <= 0 && a <= v + 1000) || (v > 0 && v <= 1000 && a <= 320);
    case VN_HOUSE: return (v <= -100 && a <= v + 1000) || (v > -100 && v <= 900 && a <= 700 && !(v > 250 && a < 230));
    case VN_HOURGLASS: return b <= 1000 && 10 * a <= 9 * b + 900;
    case VN_BOW: return a <= 1000 && 10 * b <= 7 * a + 900;
    case VN_TREE: return (v <= 350 && 10 * a <= 6 * (v + 1000)) || (v > 350 && v <= 1000 && a <= 200);
    case VN_FLAG: return u >= -800 && b <= 1000 && (u <= -560 || (u <= 900 && v <= 50));
    default: return u * u + (v - 340) * (v - 340) <= 640 * 640 || (v <= 0 && 10 * a <= 5 * (v + 1000)); /* drop */
    }
}

static void
draw_ground(uint8_t *rgb, const vn_scene *scene, int64_t size)
{
    for (int64_t first = 0; first < size * size; first += 16) {
        vn_philox4 noise = vn_philox(scene->seed, scene->row, (uint32_t)((1 << 24) + first / 16), VN_STREAM_SCENE);
        for (int64_t p = first; p < VN_MIN(first + 16, size * size); p++) {
            int32_t byte = (int32_t)(noise.x[(p - first) / 4] >> (8 * (p % 4)) & 255);
            int64_t x = 2 * (p % size) + 1, y = 2 * (p / size) + 1, far = 2 * size;
            for (int c = 0; c < 3; c++) {
                int64_t top = scene->ground[0][c] * (far - x) + scene->ground[1][c] * x;
                int64_t bottom = scene->ground[2][c] * (far - x) + scene->ground[3][c] * x;
                rgb[p * 3 + c] = (uint8_t)((top * (far - y) + bottom * y) / (far * far) + byte * 13 / 256);
            }
        }
    }
}

/* Floor of the distance of each sample of pixels first..last from the centre, in units of the shape. */
static void
measure(int32_t *out, int64_t first, int64_t last, int64_t centre, int64_t radius, int64_t size)
{
    int64_t unit = 2 * FINE * size * radius;
    for (int64_t s = first * FINE; s < (last + 1) * FINE; s++) {
        int64_t distance = (2 * s + 1) * VN_SCENE_SIDE - 2 * FINE * size * centre;
        *out++ = (int32_t)((distance * UNIT + 64 * UNIT * unit) / unit - 64 * UNIT); /* C divides towards zero */
    }
}

static int
count_inside(int shape, const int32_t *u, const int32_t *v)
{
    int hits = 0;
    for (int j = 0; j < FINE; j++)
        for (int i = 0; i < FINE; i++)
            hits += in_shape(shape, u[i], v[j]);
    return hits;
}

static void
draw_object(uint8_t *rgb, uint8_t *mask, const vn_scene *scene, int number, int64_t size)
{
    const vn_object *o = &scene->object[number];
    const vn_place p = vn_scene_place(scene, o);
    int32_t colour[3], u[SAMPLES], v[SAMPLES];
    int64_t x0 = (p.x - p.r) * size / VN_SCENE_SIDE, x1 = (p.x + p.r) * size / VN_SCENE_SIDE;
    int64_t y0 = (p.y - p.r) * size / VN_SCENE_SIDE, y1 = (p.y + p.r) * size / VN_SCENE_SIDE;
    for (int c = 0; c < 3; c++)
        colour[c] = VN_MAX(0, VN_MIN(255, palette[o->colour][c] + o->dcolour[c] / 10 - 12));
    measure(u, x0, x1, p.x, p.r, size);
    measure(v, y0, y1, p.y, p.r, size);
    for (int64_t y = y0; y <= y1; y++)
        for (int64_t x = x0; x <= x1; x++) {
            int hits = count_inside(o->shape, u + (x - x0) * FINE, v + (y - y0) * FINE);
            uint8_t *pixel = rgb + (y * size + x) * 3;
            for (int c = 0; c < 3; c++)
                pixel[c] = (uint8_t)((pixel[c] * (16 - hits) + colour[c] * hits + 8) / 16);
            if (mask != NULL && hits >= 8)
                mask[y * size + x] = (uint8_t)(number + 1);
        }
}

void
vn_scene_draw(uint8_t *rgb, uint8_t *mask, const vn_scene *scene, int64_t size)
{
    draw_ground(rgb, scene, size);
    if (mask != NULL)
        memset(mask, 0, (size_t)(size * size));
    for (int i = 0; i < scene->objects; i++)
        draw_object(rgb, mask, scene, i, size);
}
