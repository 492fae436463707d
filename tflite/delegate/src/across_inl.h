// Functions of all channels of a pixel.

namespace {

// By `AcrossKind`.
constexpr AcrossFunction kAcross[] = {nullptr};

}  // namespace
