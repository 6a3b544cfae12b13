/* common/base/bytes.h: hex digits and integers as bytes, in both orders. No state. */
#ifndef FERRY_BASE_BYTES_H
#define FERRY_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTES_HEX_ROW(h)                                                                           \
    {h, '0'}, {h, '1'}, {h, '2'}, {h, '3'}, {h, '4'}, {h, '5'}, {h, '6'}, {h, '7'}, {h, '8'},      \
        {h, '9'}, {h, 'a'}, {h, 'b'}, {h, 'c'}, {h, 'd'}, {h, 'e'},                                \
    {                                                                                              \
        h, 'f'                                                                                     \
    }

/* The two lower-case hex digits of each byte, without a NUL. */
static const char bytes_hex[256][2] = {
    BYTES_HEX_ROW('0'), BYTES_HEX_ROW('1'), BYTES_HEX_ROW('2'), BYTES_HEX_ROW('3'),
    BYTES_HEX_ROW('4'), BYTES_HEX_ROW('5'), BYTES_HEX_ROW('6'), BYTES_HEX_ROW('7'),
    BYTES_HEX_ROW('8'), BYTES_HEX_ROW('9'), BYTES_HEX_ROW('a'), BYTES_HEX_ROW('b'),
    BYTES_HEX_ROW('c'), BYTES_HEX_ROW('d'), BYTES_HEX_ROW('e'), BYTES_HEX_ROW('f'),
};
#undef BYTES_HEX_ROW

/* Writes 2 * len hex digits to `out`, without a NUL; returns the end of what was written. */
static inline char *bytes_to_hex(char *out, const void *data, size_t len)
{
    const unsigned char *in = data;

    for (size_t i = 0; i < len; i++, out += 2)
        memcpy(out, bytes_hex[in[i]], 2);
    return out;
}

/* 0 to 15; -1: no hex digit. Both cases. */
static inline int bytes_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Little-endian integer of `len` bytes, 1 to 8. */
static inline uint64_t bytes_le(const void *data, size_t len)
{
    const unsigned char *in = data;
    uint64_t v = 0;

    for (size_t i = len; i > 0; i--)
        v = v << 8 | in[i - 1];
    return v;
}

/* Big-endian integer of `len` bytes, 1 to 8. */
static inline uint64_t bytes_be(const void *data, size_t len)
{
    const unsigned char *in = data;
    uint64_t v = 0;

    for (size_t i = 0; i < len; i++)
        v = v << 8 | in[i];
    return v;
}

static inline void bytes_put_le(void *out, uint64_t v, size_t len)
{
    unsigned char *to = out;

    for (size_t i = 0; i < len; i++, v >>= 8)
        to[i] = (unsigned char)(v & 0xff);
}

static inline void bytes_put_be(void *out, uint64_t v, size_t len)
{
    unsigned char *to = out;

    for (size_t i = len; i > 0; i--, v >>= 8)
        to[i - 1] = (unsigned char)(v & 0xff);
}

static inline uint16_t bytes_le16(const void *data)
{
    return (uint16_t)bytes_le(data, 2);
}
static inline uint32_t bytes_le32(const void *data)
{
    return (uint32_t)bytes_le(data, 4);
}
static inline uint64_t bytes_le64(const void *data)
{
    return bytes_le(data, 8);
}
static inline uint16_t bytes_be16(const void *data)
{
    return (uint16_t)bytes_be(data, 2);
}
static inline uint32_t bytes_be32(const void *data)
{
    return (uint32_t)bytes_be(data, 4);
}
static inline uint64_t bytes_be64(const void *data)
{
    return bytes_be(data, 8);
}

#endif
