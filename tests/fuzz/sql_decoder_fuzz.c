/* Any bytes as a SQL file; then the rows that came out of them through the encoder and back. */
#include "tests/fuzz/decoder_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return decoder_fuzz(ROW_FORMAT_SQL, data, size);
}
