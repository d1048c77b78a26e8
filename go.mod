module redis-vip

go 1.26.0

require (
	github.com/coreos/go-systemd/v22 v22.7.0 // the journal with fields, and sockets that systemd opened
	github.com/mdlayher/arp v0.0.0-20220512170110-6706a2966875 // ARP: announcing a VIP, and asking who else has it
	github.com/mdlayher/ethernet v0.0.0-20220221185849-529eae5b6118 // the frames that ARP and NDP messages travel in
	github.com/mdlayher/ndp v1.1.0 // NDP: the same for IPv6
	github.com/mdlayher/packet v1.1.2 // raw sockets for both
	github.com/pelletier/go-toml/v2 v2.4.3 // redis-vip.toml, strictly and with the line of each mistake
	github.com/prometheus/client_model v0.6.2 // tests only: metrics as Prometheus reads them
	github.com/prometheus/common v0.66.1 // tests only: the parser of its text format
	github.com/redis/go-redis/v9 v9.17.3 // Redis and Sentinel
	github.com/rs/zerolog v1.35.1 // log records with fields, without allocations in a check
	github.com/urfave/cli/v2 v2.27.7 // commands, flags and their variables
	github.com/vishvananda/netlink v1.3.1 // addresses and interfaces of the kernel
	github.com/vishvananda/netns v0.0.5 // the lab: hosts as network namespaces
	golang.org/x/net v0.56.0 // IPv6 headers and socket filters
	golang.org/x/sys v0.48.0 // what package syscall lacks: open file description locks, O_NOFOLLOW, capabilities
	golang.org/x/term v0.46.0 // whether a person reads at a terminal
)

require golang.org/x/text v0.39.0

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/josharian/native v1.1.0 // indirect
	github.com/kr/pretty v0.3.1 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/mdlayher/socket v0.4.1 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/xrash/smetrics v0.0.0-20240521201337-686a1a2994c1 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/sync v0.21.0 // indirect
	google.golang.org/protobuf v1.36.8 // indirect
)
