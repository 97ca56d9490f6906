#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "parts.h"

// Names that the compiler gives to every user of them (STB_GNU_UNIQUE) must not keep the library in the process.
template <typename T> struct Registry {
	static std::vector<T> &all()
	{
		static std::vector<T> instance;
		return instance;
	}
};

extern "C" int count_words(const char *s)
{
	std::istringstream in(s);
	std::vector<std::string> &words = Registry<std::string>::all();
	words.clear();
	for (std::string word; in >> word;) {
		words.push_back(word);
	}
	return static_cast<int>(words.size());
}

extern "C" const char *thrown(void)
{
	static std::string what;
	try {
		throw std::runtime_error("caught in C++");
	} catch (const std::exception &e) {
		what = e.what();
	}
	return what.c_str();
}
