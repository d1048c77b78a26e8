# bash completion for redis-vip. It is made from the commands:
# go test ./cmd/internal/program -run TestCompletions -update

_redis_vip_groups() {
	sed -nE 's/^\[group\.([A-Za-z0-9_-]+)\].*/\1/p' /etc/redis-vip/redis-vip.toml 2>/dev/null
}

_redis_vip_files() {
	find /var/lib/redis-vip '(' -name '*.resp' -o -name '*.rdb' ')' -printf '%f\n' 2>/dev/null
}

_redis_vip() {
	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' word words='' options=''
	local common="--config --group --node --nodes --vips --interface --socket --username --password-file --tls --tls-ca --tls-cert --tls-key --tls-server-name --sentinels --sentinel-username --sentinel-password-file --timeout --peer-timeout --hook-timeout --boot-wait --fence-after --gateway --witnesses --witness-username --witness-password-file --preserve --state-dir --run-dir --help"
	COMPREPLY=()
	case $previous in
	--preserve) mapfile -t COMPREPLY < <(compgen -W "require try off" -- "$cur") && return ;;
	--expect) mapfile -t COMPREPLY < <(compgen -W "any master replica" -- "$cur") && return ;;
	--config | --socket | --password-file | --tls-ca | --tls-cert | --tls-key | --sentinel-password-file | --witness-password-file | --keepalived | --redis | --sentinel | --other | --textfile)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	--state-dir | --run-dir | --root)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
	--group | --node | --nodes | --vips | --interface | --username | --tls-server-name | --sentinels | --sentinel-username | --timeout | --peer-timeout | --hook-timeout | --boot-wait | --fence-after | --gateway | --witnesses | --witness-username | --wait | --config-id | --n | --to)
		return ;;
	esac
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$command $word" in
		" explain") command=" explain" ;;
		" lint") command=" lint" ;;
		" history") command=" history" ;;
		" switchover") command=" switchover" ;;
		" maintenance") command=" maintenance" ;;
		" preserved") command=" preserved" ;;
		" preserved list") command=" preserved list" ;;
		" preserved show") command=" preserved show" ;;
		" preserved replay") command=" preserved replay" ;;
		" contested") command=" contested" ;;
		" reconcile") command=" reconcile" ;;
		esac
	done
	case $command in
	"") options="--help --version" words="explain lint history switchover maintenance preserved contested reconcile" ;;
	" explain") options="$common --expect --json --wait" ;;
	" lint") options="$common --keepalived --redis --sentinel --other --config-id --root --offline --strict --json" words=$(compgen -f -- "$cur") ;;
	" history") options="$common --n --json" words=$(_redis_vip_groups) ;;
	" switchover") options="$common --dry-run" words=$(_redis_vip_groups) ;;
	" maintenance") options="$common" words="on off $(_redis_vip_groups)" ;;
	" preserved") options="--help" words="list show replay" ;;
	" preserved list") options="$common --json" words=$(_redis_vip_groups) ;;
	" preserved show") options="$common --json --keys" words=$(_redis_vip_files) ;;
	" preserved replay") options="$common --json --to --dry-run --force --source" words=$(_redis_vip_files) ;;
	" contested") options="$common" ;;
	" reconcile") options="$common --all --quiet --serve --textfile" words=$(_redis_vip_groups) ;;
	esac
	[[ $cur == -* ]] && words=$options
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _redis_vip redis-vip
