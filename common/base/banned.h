/* common/base/banned.h: calls of these functions do not compile; the Makefile includes this first
 * in every file. Use strbuf, snprintf, clock.h, strtoul and friends instead. The system's headers
 * come first, so that only our own calls meet the macros. */
#ifndef FERRY_BASE_BANNED_H
#define FERRY_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gets
#undef atoi
#undef localtime
#undef gmtime
#undef ctime
#undef asctime
#undef strerror
#undef rand
#undef system
#undef popen

/* strings without bounds: strbuf, memcpy */
#define strcpy(...) banned_strcpy_is_not_allowed
#define strcat(...) banned_strcat_is_not_allowed
#define strncpy(...) banned_strncpy_is_not_allowed
#define strncat(...) banned_strncat_is_not_allowed
#define sprintf(...) banned_sprintf_is_not_allowed
#define vsprintf(...) banned_vsprintf_is_not_allowed
#define gets(...) banned_gets_is_not_allowed
/* hidden state shared by threads: the _r forms, clock.h, err_set_errno */
#define strtok(...) banned_strtok_is_not_allowed
#define localtime(...) banned_localtime_is_not_allowed
#define gmtime(...) banned_gmtime_is_not_allowed
#define ctime(...) banned_ctime_is_not_allowed
#define asctime(...) banned_asctime_is_not_allowed
#define strerror(...) banned_strerror_is_not_allowed
#define rand(...) banned_rand_is_not_allowed
/* no report of faults: strtoul, opt.h */
#define atoi(...) banned_atoi_is_not_allowed
/* a shell between us and the work */
#define system(...) banned_system_is_not_allowed
#define popen(...) banned_popen_is_not_allowed

#endif
