// simdjson's two readers of {"input": numbers, flat or nested}, for json_bench.c.
#include <simdjson.h>

#include "simdjson.h"

using namespace simdjson;

namespace
{

bool walk(dom::element value, float *&out)
{
    if (value.is_array()) {
        for (dom::element element : dom::array(value))
            if (!walk(element, out)) return false;
        return true;
    }
    double number;
    if (value.get(number)) return false;
    *out++ = static_cast<float>(number);
    return true;
}

bool walk(ondemand::array array, float *&out)
{
    for (auto element : array) {
        ondemand::value value;
        if (element.get(value)) return false;
        ondemand::json_type type;
        if (value.type().get(type)) return false;
        if (type == ondemand::json_type::array) {
            ondemand::array inner;
            if (value.get(inner) || !walk(inner, out)) return false;
            continue;
        }
        double number;
        if (value.get(number)) return false;
        *out++ = static_cast<float>(number);
    }
    return true;
}

// A flat array needs no look at each value's type.
bool walk_flat(ondemand::array array, float *&out)
{
    for (auto element : array) {
        double number;
        if (element.get_double().get(number)) return false;
        *out++ = static_cast<float>(number);
    }
    return true;
}

} // namespace

std::size_t simdjson_dom(const char *text, std::size_t size, float *out)
{
    static dom::parser parser;
    dom::element root, input;
    float *end = out;
    if (parser.parse(text, size, false).get(root) || root["input"].get(input)) return 0;
    return walk(input, end) ? static_cast<std::size_t>(end - out) : 0;
}

std::size_t simdjson_ondemand(const char *text, std::size_t size, float *out, int nested)
{
    static ondemand::parser parser;
    ondemand::document root;
    ondemand::array input;
    float *end = out;
    if (parser.iterate(text, size, size + SIMDJSON_PADDING).get(root) || root["input"].get(input))
        return 0;
    const bool good = nested ? walk(input, end) : walk_flat(input, end);
    return good ? static_cast<std::size_t>(end - out) : 0;
}

std::size_t simdjson_padding()
{
    return SIMDJSON_PADDING;
}
