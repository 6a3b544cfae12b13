/* formats/binlog_number.h: numbers and times of row images, as the server's text protocol prints
 * them. No state: any thread. */
#ifndef FERRY_FORMATS_BINLOG_NUMBER_H
#define FERRY_FORMATS_BINLOG_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_TEXT_MAX 96 /* bytes that any of these writes at most: a DECIMAL has 68 */

/* Each writes to `to`, without a NUL, and returns the end of what was written. */
char *number_u64(char *to, uint64_t v);
char *number_i64(char *to, int64_t v);
/* `width` digits at least, with zeros in front; at most 20. */
char *number_padded(char *to, uint64_t v, unsigned width);
/* The shortest text that gives the same double back, in the form of the server's my_gcvt. */
char *number_double(char *to, double v);

/* The bytes of a DECIMAL(precision, scale) in row images and JSON; 0: there is no such type. */
size_t decimal_bytes(unsigned precision, unsigned scale);
/* NULL: the bytes are no packed decimal. */
char *decimal_text(char *to, const uint8_t *data, unsigned precision, unsigned scale);

/* "YYYY-MM-DD HH:MM:SS" of UTC seconds since 1970; zero is the zero date. */
char *time_of_seconds(char *to, uint64_t seconds);
/* ".123", `fsp` digits of microseconds; nothing for 0. */
char *time_fraction(char *to, uint32_t microseconds, unsigned fsp);
/* The packed forms of MySQL 5.6 and above (my_time.cc), as 64-bit integers: a signed time or a date
 * and time, 24 lower bits microseconds. */
char *time_packed_time(char *to, int64_t packed, unsigned fsp);
char *time_packed_datetime(char *to, int64_t packed, unsigned fsp);
char *time_packed_date(char *to, int64_t packed);
/* The old forms: days and months packed in 3 bytes, decimal HHMMSS, decimal YYYYMMDDHHMMSS. */
char *time_date(char *to, uint32_t v);
char *time_old_time(char *to, int32_t v);
char *time_old_datetime(char *to, uint64_t v);

#endif
