// Package bench measures what the programs cost, each beside what people use in its
// place: in the same hosts, taken in turns, so that whatever else the machine does is
// in both numbers. All hosts are namespaces of package netlab.
//
// What a program costs depends on how the page cache holds it. A file that was written
// in large pieces lies in large folios and is mapped with a few faults; one of 4 kB
// pages, which is all that ext4 has before Linux 6.16, costs a third more. So programs
// are put on the disk as dpkg does it, in pieces of 32 kB, and those that count are
// measured on pages of 4 kB as well.
package bench
