#include <map>
#include <string>

static std::map<std::string, int> table = { { "ten", 10 } };
inline int shared_inline() { static int n = 10; return ++n; }
namespace { thread_local std::string text = "eleven"; }

extern "C" {
int cxx_counter = 12;
int from_table(const char *name) { return table[name]; }
int from_inline() { return shared_inline(); }
int from_thread_local() { return (int)text.size(); }
}
