/* EXIF's orientation: how a camera was held. */
#include "image_format.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, ENTRY_SIZE = 12 };

static unsigned word_at(const uint8_t *b, bool big_end)
{
    return big_end ? (unsigned)b[0] << 8 | b[1] : (unsigned)b[1] << 8 | b[0];
}

/* EXIF is a TIFF file: a mark, the place of the first directory, in it entries of tag, type,
 * count, value. */
int nm_exif_orientation(const uint8_t *bytes, size_t size)
{
    if (size > 6 && memcmp(bytes, "Exif\0", 6) == 0) {
        bytes += 6;
        size -= 6;
    }
    if (size < 8 || (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0))
        return 1;
    bool big = bytes[0] == 'M';
    size_t high = word_at(bytes + (big ? 4 : 6), big), low = word_at(bytes + (big ? 6 : 4), big);
    size_t place = high << 16 | low;
    if (place > size - 2)
        return 1;
    size_t entries = word_at(bytes + place, big);
    for (place += 2; entries > 0 && place + ENTRY_SIZE <= size; entries--, place += ENTRY_SIZE)
        if (word_at(bytes + place, big) == TAG_ORIENTATION) {
            unsigned value = word_at(bytes + place + 8, big);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    return 1;
}

void nm_image_turn(int orientation, int height, int width, int channels, const uint8_t *from, uint8_t *to)
{
    bool transposed = orientation >= 5;
    bool mirrored_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirrored_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int rows = transposed ? width : height, columns = transposed ? height : width;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++, to += channels) {
            int sy = transposed ? x : y, sx = transposed ? y : x;
            sy = mirrored_y ? height - 1 - sy : sy;
            sx = mirrored_x ? width - 1 - sx : sx;
            memcpy(to, from + ((size_t)sy * (size_t)width + (size_t)sx) * (size_t)channels, (size_t)channels);
        }
}
