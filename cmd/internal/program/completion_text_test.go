package program

// The texts of the completions, as templates of a tree.

const bashCompletion = `# bash completion for redis-vip. It is made from the commands:
# go test ./cmd/internal/program -run TestCompletions -update

_redis_vip_groups() {
	sed -nE 's/^\[group\.([A-Za-z0-9_-]+)\].*/\1/p' /etc/redis-vip/redis-vip.toml 2>/dev/null
}

_redis_vip_files() {
	find /var/lib/redis-vip '(' -name '*.resp' -o -name '*.rdb' ')' -printf '%f\n' 2>/dev/null
}

_redis_vip() {
	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' word words='' options=''
	local common="{{join .CommonNames}} --help"
	COMPREPLY=()
	case $previous in
{{- range .Options}}{{if .Choice}}
	--{{.Name}}) mapfile -t COMPREPLY < <(compgen -W "{{join .Choice}}" -- "$cur") && return ;;
{{- end}}{{end}}
	{{cases .Options "FILE"}})
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	{{cases .Options "DIR"}})
		mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
	{{cases .Options ""}})
		return ;;
	esac
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$command $word" in
{{- range .Commands}}
		" {{.Words}}") command=" {{.Words}}" ;;
{{- end}}
		esac
	done
	case $command in
	"") options="--help --version" words="{{range $i, $c := .Top}}{{if $i}} {{end}}{{$c.Name}}{{end}}" ;;
{{- range .Commands}}
	" {{.Words}}") options="{{if .Within}}--help{{else}}$common{{range .OptionNames}} {{.}}{{end}}{{end}}"
	{{- if .Within}} words="{{join .Within}}"
	{{- else if eq .Arguments "switch"}} words="on off $(_redis_vip_groups)"
	{{- else if eq .Arguments "group"}} words=$(_redis_vip_groups)
	{{- else if eq .Arguments "file"}} words=$(_redis_vip_files)
	{{- else if eq .Arguments "path"}} words=$(compgen -f -- "$cur"){{end}} ;;
{{- end}}
	esac
	[[ $cur == -* ]] && words=$options
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _redis_vip redis-vip
`

const zshCompletion = `#compdef redis-vip
# zsh completion for redis-vip. It is made from the commands:
# go test ./cmd/internal/program -run TestCompletions -update

_redis_vip_options=(
{{- range .Common}}
	{{template "option" .}}
{{- end}}
	'--help[show help]'
)

_redis_vip_groups() {
	local -a groups
	groups=(${(f)"$(sed -nE 's/^\[group\.([A-Za-z0-9_-]+)\].*/\1/p' /etc/redis-vip/redis-vip.toml 2>/dev/null)"})
	_describe -t groups group groups
}

_redis_vip_files() {
	local -a files
	files=(/var/lib/redis-vip/*/*.(resp|rdb)(N:t))
	_describe -t files 'preserved file' files
}

_redis-vip() {
	local curcontext=$curcontext state
	local -a line commands
	commands=(
{{- range .Top}}
		{{quote (print .Name ":" .Usage)}}
{{- end}}
	)
	_arguments -C '--help[show help]' '--version[print the version]' '1: :->command' '*:: :->rest' && return
	if [[ $state == command ]]; then
		_describe -t commands command commands
		return
	fi
	case $words[1] in
{{- range .Top}}
	{{.Name}}) {{if .Within}}_redis_vip_{{.Name}}{{else}}{{template "arguments" .}}{{end}} ;;
{{- end}}
	esac
}
{{range $top := .Top}}{{if .Within}}
_redis_vip_{{.Name}}() {
	local curcontext=$curcontext state
	local -a line commands
	commands=(
{{- range $.Commands}}{{if and (eq (len .Path) 2) (eq (index .Path 0) $top.Name)}}
		{{quote (print .Name ":" .Usage)}}
{{- end}}{{end}}
	)
	_arguments -C '1: :->command' '*:: :->rest' && return
	if [[ $state == command ]]; then
		_describe -t commands command commands
		return
	fi
	case $words[1] in
{{- range $.Commands}}{{if and (eq (len .Path) 2) (eq (index .Path 0) $top.Name)}}
	{{.Name}}) {{template "arguments" .}} ;;
{{- end}}{{end}}
	esac
}
{{end}}{{end}}
_redis-vip "$@"
{{- define "option"}}'--{{.Name}}{{if .Value}}={{end}}[{{spec .Usage}}]{{if .Value}}:{{spec .Value}}:{{if .Choice}}({{join .Choice}}){{else if eq .Value "FILE"}}_files{{else if eq .Value "DIR"}}_directories{{end}}{{end}}'{{end}}
{{- define "arguments"}}_arguments $_redis_vip_options{{range .Options}} {{template "option" .}}{{end}}
{{- if eq .Arguments "switch"}} '1::switch:(on off)' '2::group:_redis_vip_groups'{{end}}
{{- if eq .Arguments "group"}} '1::group:_redis_vip_groups'{{end}}
{{- if eq .Arguments "file"}} '1:file:_redis_vip_files'{{end}}
{{- if eq .Arguments "path"}} '*:file:_files'{{end}}{{end}}
`

const fishCompletion = `# fish completion for redis-vip. It is made from the commands:
# go test ./cmd/internal/program -run TestCompletions -update

complete -c redis-vip -f

function __redis_vip_groups
    sed -nE 's/^\[group\.([A-Za-z0-9_-]+)\].*/\1/p' /etc/redis-vip/redis-vip.toml 2>/dev/null
end

function __redis_vip_files
    find /var/lib/redis-vip -name '*.resp' -printf '%f\n' -o -name '*.rdb' -printf '%f\n' 2>/dev/null
end

complete -c redis-vip -n __fish_use_subcommand -l version -d 'print the version'
complete -c redis-vip -l help -d 'show help'
{{range .Commands}}{{if eq (len .Path) 1}}
complete -c redis-vip -n __fish_use_subcommand -a {{.Name}} -d {{quote .Usage}}
{{- else}}
complete -c redis-vip -n '__fish_seen_subcommand_from {{index .Path 0}}' -a {{.Name}} -d {{quote .Usage}}
{{- end}}{{end}}
{{range $c := .Commands}}
{{- if eq .Arguments "switch"}}
complete -c redis-vip -n '__fish_seen_subcommand_from {{.Name}}' -a 'on off'
{{- end}}
{{- if or (eq .Arguments "switch") (eq .Arguments "group")}}
complete -c redis-vip -n '__fish_seen_subcommand_from {{.Name}}' -a '(__redis_vip_groups)'
{{- end}}
{{- if eq .Arguments "path"}}
complete -c redis-vip -n '__fish_seen_subcommand_from {{.Name}}' -F
{{- end}}
{{- if eq .Arguments "file"}}
complete -c redis-vip -n '__fish_seen_subcommand_from {{.Name}}' -a '(__redis_vip_files)'
{{- end}}
{{- range .Options}}
complete -c redis-vip -n '__fish_seen_subcommand_from {{$c.Name}}' {{template "option" .}}
{{- end}}{{end}}

{{- range .Common}}
complete -c redis-vip -n 'not __fish_use_subcommand' {{template "option" .}}
{{- end}}
{{define "option"}}-l {{.Name}}{{if .Value}}{{if eq .Value "FILE"}} -r -F{{else}} -x{{end}}{{if .Choice}} -a '{{join .Choice}}'{{else if eq .Value "DIR"}} -a '(__fish_complete_directories)'{{end}}{{end}} -d {{quote .Usage}}{{end}}
`
