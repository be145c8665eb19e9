#pragma once

/* What became of a reference count of which one was dropped: arch_count_drop(). */
enum count_drop { COUNT_LEFT, COUNT_LAST, COUNT_WRONG /* it was 0 before */ };
